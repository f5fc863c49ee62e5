import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { CommitOutcomeUnknownError } from '../../../lib/errors/units.errors.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import type { FilesService } from '../../../lib/files/files.service.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { contextOf, filesHarness, Thing } from '../../support/files-harness.js';
import { pdf } from '../../support/files-samples.js';

const content = Buffer.from('content');
const user = { type: 'user', id: '1' };

describe.each<[string, (files: FilesService, id: string) => Promise<ManagedFile | undefined>]>([
  ['findOrFail', (files, id) => files.findOrFail(id)],
  ['findMany', async (files, id) => (await files.findMany([id]))[0]],
  ['search', async (files) => (await files.search()).results[0]],
])('FilesService.%s', (_, find) => {
  it('finds what a query builder finds, and lets subscribers see what was loaded', async () => {
    const { files, dataSource } = await filesHarness();
    const { id } = await files.create(content, { name: 'x', owner: user });
    const repository = dataSource.getRepository(ManagedFile);
    expect(await find(files, id)).toStrictEqual(await repository.findOneByOrFail({ id }));

    const loaded: unknown[] = [];
    dataSource.subscribers.push({ listenTo: () => ManagedFile, afterLoad: (file: unknown) => void loaded.push(file) });
    const found = await find(files, id);
    expect(loaded).toEqual([found]);
  });
});

describe('FilesService.create', () => {
  it('stores the bytes and a row that tells all about them', async () => {
    const { files, stored } = await filesHarness();
    const file = await files.create(Readable.from([pdf]), { name: 'документ.pdf', owner: user });
    expect(file).toMatchObject({
      name: 'документ.pdf',
      storage: 'default',
      contentType: 'application/pdf',
      size: pdf.length,
      hashAlgorithm: 'sha256',
      ownerType: 'user',
      ownerId: '1',
      ownerField: null,
      pinned: false,
    });
    expect(await files.findOrFail(file.id)).toEqual(file);
    expect(await stored()).toEqual([file.location]);
  });

  it('takes bytes as well as a stream, to the storage that is named', async () => {
    const { files, stored } = await filesHarness();
    const file = await files.create(new Uint8Array(content), { name: 'x', storage: 'memory' });
    expect(file).toMatchObject({ size: 7, storage: 'memory', ownerType: null });
    expect(await text(await files.stream(file.id))).toBe('content');
    expect(await stored()).toEqual([]);
  });

  it('takes a part of a larger buffer for what it is, and large ones whole', async () => {
    const { files } = await filesHarness();
    const file = await files.create(content.subarray(2, 5), { name: 'x' });
    expect(await text(await files.stream(file.id))).toBe('nte');
    const large = Buffer.alloc(1_000_001, 'large ');
    expect(await text(await files.stream((await files.create(large, { name: 'x' })).id))).toBe(String(large));
  });

  it('keeps the name of the file out of its location', async () => {
    const { files } = await filesHarness();
    const { location } = await files.create(content, { name: 'secret-report' });
    expect(location).toMatch(/^[0-9a-f]{2}\/[0-9a-f-]{36}$/);
  });

  it('destroys the content and stores nothing when something is wrong with what it is told', async () => {
    const { files, stored, rows } = await filesHarness({ closed: memoryStorage({ disable: ['write'] }) });
    const wrong = [
      [{ name: '' }, 'FILES_FILE_NAME_INVALID'],
      [{ name: 'x', storage: 'nowhere' }, 'FILES_STORAGE_UNKNOWN'],
      [{ name: 'x', storage: 'closed' }, 'FILES_CAPABILITY_MISSING'],
      [{ name: 'x', contentType: 'text' }, 'FILES_CONTENT_TYPE_INVALID'],
      [{ name: 'x', contentType: 'a/b/c' }, 'FILES_CONTENT_TYPE_INVALID'],
      [{ name: 'x', owner: { type: 'user', id: ' 1' } }, 'FILES_OWNER_REFERENCE_INVALID'],
      [{ name: 'x', owner: { type: '', id: '1' } }, 'FILES_OWNER_REFERENCE_INVALID'],
      [{ name: 'x', owner: { type: 'user', id: 1 as unknown as string } }, 'FILES_OWNER_REFERENCE_INVALID'],
    ] as const;
    for (const [options, code] of wrong) {
      const source = new Readable({ read() {} });
      await expect(files.create(source, options)).rejects.toMatchObject({ code });
      expect(source.destroyed).toBe(true);
    }
    expect(await stored()).toEqual([]);
    expect(await rows()).toBe(0);
  });

  it('opens no transaction while bytes flow', async () => {
    const { files, rows, dataSource } = await filesHarness();
    const source = new Readable({ read() {} });
    source.push('first');
    const creating = files.create(source, { name: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    // On SQLite an open transaction would hold this up until its end.
    await dataSource.getRepository(Thing).insert({ id: 'other', fileId: null });
    source.push(null);
    await creating;
    expect(await rows()).toBe(1);
  });

  it('tells ownership of the new file in the same transaction', async () => {
    const { files, notes } = await filesHarness();
    const file = await files.create(content, { name: 'x', owner: user });
    expect(await notes()).toEqual([`created ${file.id} for user:1`]);
  });

  it('removes the bytes and the row when ownership fails', async () => {
    const { files, ownership, stored, rows, notes } = await filesHarness();
    ownership.fault = new Error('no history');
    await expect(files.create(content, { name: 'x' })).rejects.toThrow('no history');
    expect(await stored()).toEqual([]);
    expect([await rows(), await notes()]).toEqual([0, []]);
  });

  it('removes the bytes when the row cannot be written', async () => {
    const { files, stored, dataSource } = await filesHarness();
    await dataSource.query('DROP TABLE files_file');
    await expect(files.create(content, { name: 'x' })).rejects.toThrow('files_file');
    expect(await stored()).toEqual([]);
  });

  it('removes the bytes when no transaction can begin', async () => {
    const { files, stored, transactor } = await filesHarness();
    transactor.run = () => Promise.reject(new Error('no connection'));
    await expect(files.create(content, { name: 'x' })).rejects.toThrow('no connection');
    expect(await stored()).toEqual([]);
  });

  it('leaves the bytes alone when nobody knows whether the row was saved', async () => {
    const { files, stored, rows, transactor } = await filesHarness();
    const run = transactor.run.bind(transactor);
    transactor.run = async (work) => {
      await run(work);
      throw new CommitOutcomeUnknownError(new Error('the connection was lost'));
    };
    await expect(files.create(content, { name: 'x' })).rejects.toBeInstanceOf(CommitOutcomeUnknownError);
    expect([await rows(), (await stored()).length]).toEqual([1, 1]);
  });

  it('survives a source that fails while nobody reads it', async () => {
    const { files, stored, actors } = await filesHarness();
    const early = new Readable({ read() {} });
    const fault = new Error('early');
    actors.current = async () => {
      early.destroy(fault);
      await new Promise(setImmediate);
      return null;
    };
    await expect(files.create(early, { name: 'x' })).rejects.toBe(fault);
    const late = new Readable({ read() {}, destroy: (_, done) => done(new Error('cannot be closed')) });
    await expect(files.create(late, { name: '' })).rejects.toMatchObject({ code: 'FILES_FILE_NAME_INVALID' });
    await new Promise(setImmediate);
    expect(await stored()).toEqual([]);
  });

  it('refuses a location that another row has, and leaves that file alone', async () => {
    const { files, registry, rows } = await filesHarness({ fixed: memoryStorage({ location: () => 'fixed' }) });
    const first = await files.create(Buffer.from('first'), { name: 'x', storage: 'fixed' });
    const again = () => files.create(Buffer.from('second'), { name: 'y', storage: 'fixed' });
    await expect(again()).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    expect(await text(await files.stream(first.id))).toBe('first');
    await registry.get('fixed').remove('fixed');
    await expect(again()).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN', cause: expect.anything() });
    expect([await rows(), await registry.get('fixed').exists('fixed')]).toEqual([1, false]);
  });
});

describe('FilesService.create in a unit of work', () => {
  it('makes its row part of the unit and keeps the bytes when it commits', async () => {
    const { files, queue, stored, rows, dataSource } = await filesHarness();
    await queue.run(async () => {
      const file = await files.create(content, { name: 'x' });
      await dataSource.getRepository(Thing).insert({ id: 't', fileId: file.id });
    });
    expect([await rows(), await stored()]).toEqual([1, [expect.any(String)]]);
  });

  it('removes row and bytes when the unit is rolled back later', async () => {
    const { files, queue, stored, rows } = await filesHarness();
    const unit = queue.run(async () => {
      const { location } = await files.create(content, { name: 'x' });
      expect(await stored()).toContain(location);
      throw new Error('later');
    });
    await expect(unit).rejects.toThrow('later');
    expect([await rows(), await stored()]).toEqual([0, []]);
  });

  it('removes only what an inner unit made when the outer goes on', async () => {
    const { files, queue, stored, rows } = await filesHarness();
    const kept = await queue.run(async () => {
      const outer = await files.create(content, { name: 'outer' });
      const inner = queue.run(async () => {
        await files.create(content, { name: 'inner' });
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
      return outer;
    });
    expect([await rows(), await stored()]).toEqual([1, [kept.location]]);
  });

  it('gives the file to the actor of the call, also of one further out', async () => {
    const { files, queue } = await filesHarness();
    const made = await queue.runQueued(async (route) => {
      route.context = contextOf(user);
      const direct = await files.create(content, { name: 'x' });
      const nested = await queue.run(() => files.create(content, { name: 'x' }));
      const none = await files.create(content, { name: 'x', owner: null });
      const named = await files.create(content, { name: 'x', owner: { type: 'group', id: '2' } });
      return [direct, nested, none, named];
    });
    expect(made.map(({ ownerType, ownerId }) => `${ownerType}:${ownerId}`)).toEqual([
      'user:1',
      'user:1',
      'null:null',
      'group:2',
    ]);
  });

  it('leaves the file unowned for anonymous callers and without a route', async () => {
    const { files, queue } = await filesHarness();
    const anonymous = await queue.runQueued(async (route) => {
      route.context = contextOf(null);
      return files.create(content, { name: 'x' });
    });
    expect([anonymous.ownerType, (await files.create(content, { name: 'x' })).ownerType]).toEqual([null, null]);
  });
});

describe('FilesService.show and findMany', () => {
  it('says that there is no file for ids unknown and malformed', async () => {
    const { files } = await filesHarness();
    for (const id of [uuidV7(), 'x', '', "' OR 1=1"]) {
      await expect(files.findOrFail(id)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND', fileId: id });
    }
  });

  it('finds a file by its id in capitals', async () => {
    const { files } = await filesHarness();
    const file = await files.create(content, { name: 'x' });
    expect((await files.findOrFail(file.id.toUpperCase())).id).toBe(file.id);
  });

  it('finds many in the order asked for, each once, with one statement', async () => {
    const { files, statements } = await filesHarness();
    const [a, b, c] = [
      await files.create(content, { name: 'a' }),
      await files.create(content, { name: 'b' }),
      uuidV7(),
    ];
    statements.length = 0;
    const found = await files.findMany([b.id, c, a.id.toUpperCase(), b.id, 'x']);
    expect(found.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(statements).toHaveLength(1);
    expect(await files.findMany(['x'])).toEqual([]);
  });

  it('shows a file as JSON without where its bytes are', async () => {
    const { files } = await filesHarness();
    const file = await files.create(content, { name: 'x' });
    expect(JSON.parse(JSON.stringify(file))).toEqual({
      id: file.id,
      name: 'x',
      storage: 'default',
      contentType: 'text/plain',
      size: 7,
      hash: file.hash,
      hashAlgorithm: 'sha256',
      createdAt: file.createdAt.toISOString(),
      ownerType: null,
      ownerId: null,
      ownerField: null,
      pinned: false,
      expiresAt: null,
    });
  });

  it('keeps sizes beyond 32 bits, instants to the millisecond and JSON of any shape', async () => {
    const { files, dataSource } = await filesHarness();
    const file = await files.create(content, { name: 'x' });
    const changes = {
      size: 5 * 2 ** 31,
      createdAt: new Date('2026-11-01T05:30:00.123Z'),
      metadata: { a: [{ b: '🗂️' }], c: null },
    };
    await dataSource.getRepository(ManagedFile).save(Object.assign(file, changes));
    expect(await files.findOrFail(file.id)).toMatchObject(changes);
  });
});

describe('FilesService.stream', () => {
  it('gives ranges, both ends included and cut at the end of the file', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    expect(await text(await files.stream(id, { start: 1, end: 3 }))).toBe('ont');
    expect(await text(await files.stream(id, { start: 5, end: 100 }))).toBe('nt');
    expect(await text(await files.stream(await files.findOrFail(id)))).toBe('content');
  });

  it('refuses a range that begins behind the end, and ranges of nothing', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    const empty = await files.create(Buffer.alloc(0), { name: 'x' });
    for (const range of [
      { start: 7, end: 9 },
      { start: 3, end: 2 },
      { start: -1, end: 2 },
    ]) {
      await expect(files.stream(id, range)).rejects.toMatchObject({ code: 'FILES_RANGE_INVALID' });
    }
    await expect(files.stream(empty.id, { start: 0, end: 0 })).rejects.toMatchObject({
      code: 'FILES_RANGE_INVALID',
      size: 0,
    });
    expect(await text(await files.stream(empty.id))).toBe('');
  });
});

describe('FilesService.delete', () => {
  it('removes the row and then the bytes', async () => {
    const { files, stored, rows, notes } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    await files.delete(id);
    expect([await rows(), await stored()]).toEqual([0, []]);
    expect(await notes()).toContain(`deleted ${id}`);
    await expect(files.delete(id)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
  });

  it('leaves row and bytes of a pinned file unless forced', async () => {
    const { files, stored, rows } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    await files.pin(id);
    await expect(files.delete(id)).rejects.toMatchObject({ code: 'FILES_FILE_PINNED', fileId: id });
    expect([await rows(), (await stored()).length]).toEqual([1, 1]);
    await files.delete(id, { force: true });
    expect([await rows(), await stored()]).toEqual([0, []]);
  });

  it('keeps the bytes until the unit commits, and when it does not', async () => {
    const { files, queue, stored, rows } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    const undone = queue.run(async () => {
      await files.delete(id);
      throw new Error('later');
    });
    await expect(undone).rejects.toThrow('later');
    expect([await rows(), (await stored()).length]).toEqual([1, 1]);
    await queue.run(async () => {
      await files.delete(id);
      expect(await stored()).toHaveLength(1);
    });
    expect([await rows(), await stored()]).toEqual([0, []]);
  });

  it('keeps both when ownership refuses', async () => {
    const { files, ownership, stored, rows } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    ownership.fault = new Error('refused');
    await expect(files.delete(id)).rejects.toThrow('refused');
    expect([await rows(), (await stored()).length]).toEqual([1, 1]);
  });

  it('deletes the row of bytes that are gone already', async () => {
    const { files, registry, rows } = await filesHarness();
    const { id, location } = await files.create(content, { name: 'x' });
    await registry.get('default').remove(location);
    await files.delete(id);
    expect(await rows()).toBe(0);
  });

  it('refuses where the storage cannot remove', async () => {
    const { files, rows } = await filesHarness({ archive: memoryStorage({ disable: ['remove'] }) });
    const { id } = await files.create(content, { name: 'x', storage: 'archive' });
    await expect(files.delete(id)).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING', missing: ['remove'] });
    expect(await rows()).toBe(1);
  });
});

describe('FilesService on ownership', () => {
  it('passes on what ownership does, with ids as they are stored', async () => {
    const { files } = await filesHarness();
    const [a, b] = [await files.create(content, { name: 'a' }), await files.create(content, { name: 'b' })];
    await files.transferOwnership([a.id.toUpperCase(), b.id], { ownerType: 'package', ownerId: '7' });
    expect(await files.findMany([a.id, b.id])).toMatchObject([{ ownerId: '7' }, { ownerId: '7' }]);
    await files.pin(a.id.toUpperCase());
    expect((await files.findOrFail(a.id)).pinned).toBe(true);
    await files.unpin(a.id);
    expect((await files.findOrFail(a.id)).pinned).toBe(false);
  });

  it('refuses ids and owners that cannot be before ownership is asked', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(content, { name: 'x' });
    const owner = { ownerType: 'package', ownerId: '7' };
    await expect(files.transferOwnership([id, 'x'], owner)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    await expect(files.transferOwnership(id, { ...owner, ownerId: '7 ' })).rejects.toMatchObject({
      code: 'FILES_OWNER_REFERENCE_INVALID',
    });
    await expect(files.pin('x')).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    await expect(files.history('x')).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    expect((await files.findOrFail(id)).ownerType).toBeNull();
  });
});
