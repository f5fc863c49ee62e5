import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { faultyStorage } from 'nestjs-files/testing';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { reachableDatabases } from '../../support/databases.js';
import { assembleFiles, filesHarness, HARNESS_ENTITIES } from '../../support/files-harness.js';
import { pdf, png } from '../../support/files-samples.js';
import { HeldStorage } from '../../support/held-storage.js';

const content = Buffer.from('content');
const user = { type: 'user', id: '1' };
const put = (storage: Storage, location: string, bytes = content) => storage.write(location, Readable.from([bytes]));

describe('FilesService.register', () => {
  it('makes a file of bytes that are there, and tells all about them', async () => {
    const { files, registry, notes } = await filesHarness();
    await put(registry.get('memory'), '2026/report.pdf', pdf);
    const file = await files.register('2026/report.pdf', { storage: 'memory', owner: user });
    expect(file).toMatchObject({
      name: 'report.pdf',
      storage: 'memory',
      location: '2026/report.pdf',
      contentType: 'application/pdf',
      size: pdf.length,
      ownerId: '1',
    });
    const same = await files.create(pdf, { name: 'x' });
    expect([file.hash, file.hashAlgorithm]).toEqual([same.hash, same.hashAlgorithm]);
    expect(await files.findOrFail(file.id)).toEqual(file);
    expect(await notes()).toContain(`created ${file.id} for user:1`);
  });

  it('refuses a location that is unknown, registered, missing or unreadable', async () => {
    const blind = memoryStorage({ disable: ['read'] });
    const { files, registry, rows } = await filesHarness({ blind });
    await put(registry.get('default'), 'a/file');
    await put(blind, 'file');
    await files.register('a/file');
    const refused = [
      ['a/file', {}, 'FILES_LOCATION_REGISTERED'],
      ['missing', {}, 'FILES_LOCATION_NOT_FOUND'],
      ['../x', {}, 'FILES_LOCATION_REFUSED'],
      ['file', { storage: 'nowhere' }, 'FILES_STORAGE_UNKNOWN'],
      ['file', { storage: 'blind' }, 'FILES_CAPABILITY_MISSING'],
      ['a/file', { name: ' ' }, 'FILES_FILE_NAME_INVALID'],
      ['a/file', { owner: { type: 'user', id: '' } }, 'FILES_OWNER_REFERENCE_INVALID'],
    ] as const;
    for (const [location, options, code] of refused) {
      await expect(files.register(location, options)).rejects.toMatchObject({ code });
    }
    expect(await rows()).toBe(1);
  });

  it('refuses bytes that are about to be removed', async () => {
    const storage = faultyStorage(memoryStorage());
    const { files, sweeper } = await filesHarness({ storage });
    const { id, location } = await files.create(content, { name: 'x', storage: 'storage' });
    storage.failAt(1, 'before');
    await files.delete(id);
    const register = () => files.register(location, { storage: 'storage' });
    await expect(register()).rejects.toMatchObject({ code: 'FILES_LOCATION_PENDING' });
    await sweeper.sweep();
    await expect(register()).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
  });

  it('refuses bytes whose removal would end while they are read', async () => {
    const storage = new HeldStorage();
    const { files, intents, rows } = await filesHarness({ storage });
    const { id, location } = await files.create(content, { name: 'x', storage: 'storage' });
    storage.hold();
    await files.delete(id);
    await storage.underWay(1);
    const read = storage.readTogether.bind(storage);
    vi.spyOn(storage, 'readTogether').mockImplementation(async (...args) => {
      const bytes = await read(...args);
      storage.release();
      expect(await intents()).toEqual([]);
      return bytes;
    });
    await expect(files.register(location, { storage: 'storage' })).rejects.toMatchObject({
      code: 'FILES_LOCATION_PENDING',
    });
    storage.release();
    expect([await rows(), await intents()]).toEqual([0, []]);
  });
});

describe.each(await reachableDatabases())('registrations on $name', ({ open }) => {
  it('let one of many win, and tell the others why', async () => {
    const database = await open({ entities: HARNESS_ENTITIES });
    const world = await assembleFiles(database.dataSource, { default: memoryStorage() });
    try {
      for (let round = 0; round < 5; round++) {
        await put(world.registry.get('default'), `raced/${round}`);
        const racing = Array.from({ length: 6 }, () => world.files.register(`raced/${round}`));
        const outcomes = await Promise.allSettled(racing);
        const codes = outcomes.map((outcome) =>
          outcome.status === 'fulfilled' ? 'won' : (outcome.reason as { code: string }).code,
        );
        expect(codes.sort()).toEqual([...Array<string>(5).fill('FILES_LOCATION_REGISTERED'), 'won']);
      }
      expect(await world.rows()).toBe(5);
    } finally {
      await world.close();
      await database.close();
    }
  });
});

describe('FilesService.rename', () => {
  it('changes the name and nothing else', async () => {
    const { files } = await filesHarness();
    const file = await files.create(content, { name: 'x', owner: user });
    expect(await files.rename(file.id, ' новое/имя ')).toEqual({ ...file, name: 'новое_имя' });
    expect(await files.findOrFail(file.id)).toEqual({ ...file, name: 'новое_имя' });
  });

  it('changes that of a pinned file, and refuses unknown ones and names that are none', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(content, { name: 'x', owner: user });
    await files.pin(id);
    await expect(files.rename(id, '')).rejects.toMatchObject({ code: 'FILES_FILE_NAME_INVALID' });
    await expect(files.rename(uuidV7(), 'y')).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    expect((await files.findOrFail(id)).name).toBe('x');
    expect(await files.rename(id, 'y')).toMatchObject({ name: 'y', pinned: true });
  });
});

describe('FilesService.replace', () => {
  it('gives the file other bytes at another location, and takes the old ones away', async () => {
    const { files, stored, intents } = await filesHarness();
    const file = await files.create(content, { name: 'x', owner: user });
    const replaced = await files.replace(file.id, Buffer.from('something else'));
    expect(replaced).toMatchObject({ id: file.id, name: 'x', ownerId: '1', size: 14, createdAt: file.createdAt });
    expect(await files.findOrFail(file.id)).toEqual(replaced);
    expect(await text(await files.stream(file.id))).toBe('something else');
    expect([await stored(), await intents()]).toEqual([[replaced.location], []]);
  });

  it('refuses another type before it stores anything, and keeps a type that only a client could tell', async () => {
    const { files, stored } = await filesHarness();
    const table = await files.create(Buffer.from('a,b'), { name: 'x', contentType: 'text/csv' });
    expect((await files.replace(table.id, Buffer.from('c,d'))).contentType).toBe('text/csv');
    const before = await stored();
    const refused = files.replace(table.id, png);
    await expect(refused).rejects.toMatchObject({ code: 'FILES_FILE_TYPE_CHANGED', contentType: 'image/png' });
    expect(await stored()).toEqual(before);
  });

  it('refuses pinned files without force, and destroys the content', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(content, { name: 'x', owner: user });
    await files.pin(id);
    const source = new Readable({ read() {} });
    await expect(files.replace(id, source)).rejects.toMatchObject({ code: 'FILES_FILE_PINNED' });
    expect(source.destroyed).toBe(true);
    expect((await files.replace(id, Buffer.from('forced'), { force: true })).size).toBe(6);
  });

  it('refuses a file that is pinned while the bytes flow, and keeps its content', async () => {
    const { files, stored } = await filesHarness();
    const { id, location } = await files.create(content, { name: 'x', owner: user });
    const source = new Readable({ read() {} });
    source.push('other');
    const replacing = files.replace(id, source);
    await files.pin(id);
    source.push(null);
    await expect(replacing).rejects.toMatchObject({ code: 'FILES_FILE_PINNED' });
    expect(await stored()).toEqual([location]);
  });

  it('needs a storage that can create and remove', async () => {
    const { files } = await filesHarness({ archive: memoryStorage({ disable: ['remove'] }) });
    const { id } = await files.create(content, { name: 'x', storage: 'archive' });
    const refused = files.replace(id, Buffer.from('other'));
    await expect(refused).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING', missing: ['remove'] });
  });
});

describe('FilesService.register, with a content type', () => {
  it.each([
    ['text/csv', 'a,b', 'text/csv'],
    ['application/json; charset=utf-8', '{}', 'application/json'],
    ['text/markdown', '# Title', 'text/markdown'],
    ['text/html', 'plain', 'text/plain'],
    ['text/csv', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    [undefined, 'a,b', 'text/plain'],
  ])('takes %s for a hint about %j, as an upload does', async (contentType, bytes, expected) => {
    const { files, registry } = await filesHarness();
    await registry.get('default').write('there/data', Readable.from([Buffer.from(bytes)]));
    const file = await files.register('there/data', contentType === undefined ? {} : { contentType });
    expect(file.contentType).toBe(expected);
  });

  it('refuses a hint that is not a content type before it reads', async () => {
    const { files } = await filesHarness();
    const refused = files.register('nothing/there', { contentType: 'csv' });
    await expect(refused).rejects.toMatchObject({ code: 'FILES_CONTENT_TYPE_INVALID' });
  });
});

describe('FilesService.copy', () => {
  it('makes an independent file, within the storage and in another', async () => {
    const { files, registry } = await filesHarness();
    const file = await files.create(content, { name: 'x', owner: user });
    const [near, far] = [
      await files.copy(file.id, { owner: null }),
      await files.copy(file.id, { storage: 'memory', name: 'y', owner: user }),
    ];
    expect(near).toMatchObject({ name: 'x', storage: 'default', ownerId: null, hash: file.hash, size: 7 });
    expect(far).toMatchObject({ name: 'y', storage: 'memory', ownerId: '1', hash: file.hash, size: 7 });
    await files.delete(file.id);
    for (const { id } of [near, far]) expect(await text(await files.stream(id))).toBe('content');
    expect(await registry.get('memory').exists(far.location)).toBe(true);
  });

  it('keeps the data of the application, apart from the original', async () => {
    const { files, dataSource } = await filesHarness();
    const { id } = await files.create(content, { name: 'x', owner: user });
    await dataSource.getRepository(ManagedFile).update(id, { metadata: { embargo: true, tags: ['a'] } });
    const copy = await files.copy(id, { owner: null });
    await dataSource.getRepository(ManagedFile).update(id, { metadata: null });
    expect((await files.findOrFail(copy.id)).metadata).toEqual({ embargo: true, tags: ['a'] });
  });

  it('copies without reading where the storage can, and else reads', async () => {
    const able = faultyStorage(memoryStorage());
    const unable = faultyStorage(memoryStorage({ disable: ['copy'] }));
    const { files } = await filesHarness({ able, unable });
    for (const storage of ['able', 'unable']) {
      const { id } = await files.create(content, { name: 'x', storage });
      expect(await text(await files.stream((await files.copy(id)).id))).toBe('content');
    }
    const verbs = (calls: readonly string[]) => calls.map((call) => call.split(' ')[0]);
    expect(verbs(able.calls)).toEqual(['write', 'copy', 'read']);
    expect(verbs(unable.calls)).toEqual(['write', 'read', 'write', 'read']);
  });

  it('holds the copy to the limits of its storage', async () => {
    const { files } = await filesHarness({
      small: memoryStorage({ maxSize: 3 }),
      images: memoryStorage({ acceptedTypes: ['image'] }),
    });
    const { id } = await files.create(content, { name: 'x' });
    await expect(files.copy(id, { storage: 'small' })).rejects.toMatchObject({ code: 'FILES_FILE_TOO_LARGE' });
    await expect(files.copy(id, { storage: 'images' })).rejects.toMatchObject({ code: 'FILES_FILE_TYPE_NOT_ACCEPTED' });
  });
});

describe('FilesService.move', () => {
  it('takes the bytes to another storage, verified, and everything else stays', async () => {
    const { files, stored, intents } = await filesHarness({ other: memoryStorage({ hashAlgorithm: 'sha512' }) });
    const file = await files.create(content, { name: 'x', owner: user });
    await files.pin(file.id);
    const moved = await files.move(file.id, 'other');
    expect(moved).toMatchObject({ id: file.id, storage: 'other', hashAlgorithm: 'sha512', pinned: true, ownerId: '1' });
    expect(await text(await files.stream(file.id))).toBe('content');
    expect([await stored(), await intents()]).toEqual([[], []]);
  });

  it('does nothing within the storage', async () => {
    const { files } = await filesHarness();
    const file = await files.create(content, { name: 'x' });
    expect(await files.move(file.id, 'default')).toEqual(file);
    await expect(files.move(file.id, 'nowhere')).rejects.toMatchObject({ code: 'FILES_STORAGE_UNKNOWN' });
  });

  it('keeps the old bytes when those that arrive are not what they were', async () => {
    const { files, dataSource, stored, registry } = await filesHarness();
    const { id, location } = await files.create(content, { name: 'x' });
    await dataSource.getRepository(ManagedFile).update({ id }, { hash: '0'.repeat(64) });
    await expect(files.move(id, 'memory')).rejects.toMatchObject({ code: 'FILES_FILE_CORRUPT', fileId: id });
    expect(await stored()).toEqual([location]);
    for await (const found of registry.get('memory').list()) expect(found).toBeUndefined();
  });

  it('gives up when the content was replaced meanwhile', async () => {
    const { files, registry } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    const memory = registry.get('memory');
    const write = memory.write.bind(memory);
    memory.write = async (location, source) => {
      await write(location, source);
      memory.write = write;
      await files.replace(id, Buffer.from('newer'));
    };
    await expect(files.move(id, 'memory')).rejects.toMatchObject({ code: 'FILES_FILE_CHANGED' });
    expect(await text(await files.stream(id))).toBe('newer');
    for await (const found of memory.list()) expect(found).toBeUndefined();
  });
});
