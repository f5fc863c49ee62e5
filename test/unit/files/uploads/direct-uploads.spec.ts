import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileUpload } from '../../../../lib/files/uploads/file-upload.entity.js';
import type { StorageLimits } from '../../../../lib/storage/storage-limits.js';
import { directStorage } from '../../../support/direct-storage.js';
import { gate } from '../../../support/gate.js';
import { expectAgreement } from '../../../support/files-agreement.js';
import { filesHarness } from '../../../support/files-harness.js';
import { png } from '../../../support/files-samples.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

const ada = { type: 'user', id: 'ada' };
const ben = { type: 'user', id: 'ben' };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function world(limits: StorageLimits & { partSize?: number } = {}) {
  const direct = directStorage({ partSize: 100, ...limits });
  const harness = await filesHarness({ direct: direct.storage });
  const { uploads, dataSource } = harness;
  return {
    ...harness,
    direct,
    rows: () => dataSource.getRepository(FileUpload).find(),
    /** Begins an upload of ada's, and sends its bytes. */
    sent: async (
      content: string | Buffer,
      further: { checksum?: string; contentType?: string; name?: string } = {},
    ) => {
      const announced = { name: 'a.txt', size: content.length, storage: 'direct', actor: ada, ...further };
      const begun = await uploads.begin(announced);
      const numbers = 'parts' in begun ? Array.from({ length: begun.parts }, (_, at) => at + 1) : [1];
      for (const { url, number, size } of await uploads.signParts(begun.id, numbers)) {
        const bytes = Buffer.from(content)
          .subarray((number - 1) * 100)
          .subarray(0, size);
        expect(direct.send(url, bytes)).toBe(200);
      }
      return begun.id;
    },
  };
}

/** What was reserved less what was given back, or has become a file. */
async function reserved(notes: string[]): Promise<number> {
  const count = (what: string) => notes.filter((note) => note.startsWith(what)).length;
  return count('reserved') - count('released') - count('created');
}

describe('an upload that a client sends to the storage', () => {
  it('becomes a file when it is completed, and the same one when it is completed again', async () => {
    const { uploads, files, direct, rows, notes } = await world();
    const begun = await uploads.begin({ name: ' a/b.txt ', size: 5, storage: 'direct', actor: ada });
    expect(begun).toEqual({
      id: expect.any(String) as string,
      expiresAt: expect.any(Date) as Date,
      method: 'PUT',
      url: expect.any(String) as string,
      headers: {},
    });
    const { id, url } = begun as typeof begun & { url: string };
    await expect(files.findOrFail(id)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    expect(await uploads.find(id)).toMatchObject({ state: 'open', parts: 1, uploaded: [] });
    expect(direct.send(url, '12345')).toBe(200);
    expect(await uploads.find(id)).toMatchObject({ name: 'a_b.txt', state: 'open', uploaded: [1] });
    expect((await files.search()).count).toBe(0);

    const file = await uploads.complete(id);
    const hash = createHash('sha256').update('12345').digest('hex');
    expect(file).toMatchObject({ id, name: 'a_b.txt', size: 5, hash, contentType: 'text/plain', storage: 'direct' });
    expect([file.ownerType, file.ownerId, file.charset]).toEqual(['user', 'ada', 'utf-8']);
    expect(await text(await files.stream(id))).toBe('12345');
    expect(await uploads.complete(id)).toEqual(await files.findOrFail(id));
    expect(await uploads.find(id)).toMatchObject({ state: 'completed', uploaded: [1] });
    expect(await reserved(await notes())).toBe(0);
    expect((await rows()).map(({ endedAt }) => endedAt !== null)).toEqual([true]);
    expect(direct.open).toBe(0);
    expect(direct.send(url, '54321')).toBe(404);
  });

  it('is sent in parts where it is large: a client asks which parts are there, and goes on', async () => {
    const { uploads, files, direct } = await world();
    const content = 'x'.repeat(250);
    const begun = await uploads.begin({ name: 'a.txt', size: 250, storage: 'direct', actor: ada });
    expect(begun).toMatchObject({ partSize: 100, parts: 3 });
    expect(begun).not.toHaveProperty('url');
    const { id } = begun;
    const parts = await uploads.signParts(id, [3, 1, 1]);
    expect(parts.map(({ number, size }) => [number, size])).toEqual([
      [3, 50],
      [1, 100],
    ]);
    for (const { url, size } of parts) expect(direct.send(url, content.slice(0, size))).toBe(200);
    expect(await uploads.find(id)).toMatchObject({ uploaded: [1, 3] });
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_INCOMPLETE', missing: [2] });
    for (const number of [0, 4, 1.5, Number.NaN])
      await expect(uploads.signParts(id, [number])).rejects.toMatchObject({ code: 'FILES_UPLOAD_PART_INVALID' });
    const [second] = await uploads.signParts(id, [2]);
    direct.send(second?.url ?? '', content.slice(0, 100));
    expect(await uploads.complete(id)).toMatchObject({ id, size: 250 });
    expect(await text(await files.stream(id))).toBe(content);
  });

  it('is sniffed and named like every other file, and may be empty', async () => {
    const { uploads, sent } = await world();
    const picture = await sent(png, { name: 'a.html', contentType: 'text/html' });
    expect(await uploads.complete(picture)).toMatchObject({ name: 'a.html', contentType: 'image/png', charset: null });
    const table = await sent('a,b\n1,2\n', { name: 'a.dat', contentType: 'text/csv; charset=utf-8' });
    expect(await uploads.complete(table)).toMatchObject({ contentType: 'text/csv' });
    expect(await uploads.complete(await sent(''))).toMatchObject({ size: 0 });
  });

  it('is visible only to the actor who began it', async () => {
    const { uploads, sent } = await world();
    const id = await sent('12345');
    for (const actor of [ben, null]) {
      const calls = [
        uploads.find(id, { actor }),
        uploads.signParts(id, [1], { actor }),
        uploads.complete(id, { actor }),
        uploads.abort(id, { actor }),
      ];
      for (const call of calls)
        await expect(call).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND', message: notFound(id) });
    }
    const missing = '01890000-0000-7000-8000-000000000000';
    await expect(uploads.find(missing)).rejects.toMatchObject({ message: notFound(missing) });
    await expect(uploads.find('no id')).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    await uploads.complete(id.toUpperCase(), { actor: ada });
    await expect(uploads.complete(id, { actor: ben })).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    const { id: anonymous } = await uploads.begin({ name: 'a', size: 1, storage: 'direct', actor: null });
    await expect(uploads.find(anonymous, { actor: ada })).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await uploads.find(anonymous, { actor: null })).toMatchObject({ id: anonymous });
  });

  it.each([
    ['a type that the storage does not accept', {}, 'FILES_FILE_TYPE_NOT_ACCEPTED'],
    ['another checksum', { checksum: `sha256:${'0'.repeat(64)}` }, 'FILES_UPLOAD_MISMATCHED'],
  ])('is removed, and ends, with %s', async (_what, further, code) => {
    const { uploads, direct, sent, notes, rows } = await world({ acceptedTypes: ['image'] });
    const id = await sent('checksum' in further ? png : '12345', further);
    await expect(uploads.complete(id)).rejects.toMatchObject({ code });
    expect([await direct.locations(), direct.open]).toEqual([[], 0]);
    expect(await reserved(await notes())).toBe(0);
    expect((await rows()).every(({ endedAt }) => endedAt !== null)).toBe(true);
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
  });

  it('is removed where the storage has another size than was announced', async () => {
    const { uploads, direct, rows } = await world();
    const { id } = await uploads.begin({ name: 'a', size: 5, storage: 'direct', actor: ada });
    const [row] = await rows();
    await direct.storage.write(row?.location ?? '', Readable.from([Buffer.from('123456')]));
    await expect(uploads.complete(id)).rejects.toMatchObject({
      code: 'FILES_UPLOAD_MISMATCHED',
      expected: '5 bytes',
      found: '6 bytes',
    });
    expect(await direct.locations()).toEqual([]);
  });

  it('has the checksum that was announced, in any case of letters', async () => {
    const { uploads, sent } = await world();
    const checksum = `SHA512:${createHash('sha512').update('12345').digest('hex').toUpperCase()}`;
    expect(await uploads.complete(await sent('12345', { checksum }))).toMatchObject({ hashAlgorithm: 'sha256' });
  });

  it('takes null for what is not given, as HTTP does', async () => {
    const { uploads, rows } = await world();
    const untyped = { checksum: null, contentType: null } as object;
    await uploads.begin({ name: 'a', size: 5, storage: 'direct', ...untyped });
    expect(await rows()).toMatchObject([{ checksum: null, contentType: null }]);
  });

  it('is refused before it begins, where the reason is already known', async () => {
    const { uploads, direct, rows } = await world({ maxSize: 1000 });
    const begin = { name: 'a', size: 5, storage: 'direct', actor: ada };
    const refused: [object, string][] = [
      [{ size: 1001 }, 'FILES_FILE_TOO_LARGE'],
      [{ size: -1 }, 'FILES_BYTE_SIZE_INVALID'],
      [{ size: 1.5 }, 'FILES_BYTE_SIZE_INVALID'],
      [{ size: '5' }, 'FILES_BYTE_SIZE_INVALID'],
      [{ name: ' ' }, 'FILES_FILE_NAME_INVALID'],
      [{ contentType: 'text' }, 'FILES_CONTENT_TYPE_INVALID'],
      [{ checksum: 'sha256:12' }, 'FILES_CHECKSUM_INVALID'],
      [{ checksum: `crc32:${'0'.repeat(8)}` }, 'FILES_CHECKSUM_INVALID'],
      [{ storage: 'default' }, 'FILES_CAPABILITY_MISSING'],
      [{ storage: 'nowhere' }, 'FILES_STORAGE_UNKNOWN'],
      [{ owner: { type: 'user', id: ' ' } }, 'FILES_OWNER_REFERENCE_INVALID'],
    ];
    for (const [further, code] of refused)
      await expect(uploads.begin({ ...begin, ...further }), JSON.stringify(further)).rejects.toMatchObject({ code });
    expect([await rows(), direct.open]).toEqual([[], 0]);
  });

  it('is refused at a location that is taken, which stays as it is', async () => {
    const { uploads, direct, rows, files } = await world({ location: ({ name }) => name });
    await direct.storage.write('a', Readable.from([Buffer.from('12345')]));
    for (const size of [5, 6]) {
      const begun = uploads.begin({ name: 'a', size, storage: 'direct', actor: ada });
      await expect(begun).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    }
    expect([await rows(), direct.open, await direct.locations()]).toEqual([[], 0, ['a']]);
    expect((await files.search()).count).toBe(0);
  });

  it('ends with LocationTakenError where another file has come to the location since', async () => {
    const { uploads, direct, files, sent, notes } = await world({ location: ({ name }) => name });
    const id = await sent('12345', { name: 'a' });
    const other = await files.create(Buffer.from('54321'), { name: 'a', storage: 'direct', owner: ben });
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    await expect(uploads.find(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await text(await files.stream(other.id))).toBe('54321');
    expect([
      direct.open,
      await direct.locations(),
      (await notes()).filter((note) => note.startsWith('released')).length,
    ]).toEqual([0, ['a'], 1]);
  });

  it('stays open while a file is written at its location, whose bytes never become its own', async () => {
    const { uploads, direct, files, sent } = await world({ location: ({ name }) => name });
    const id = await sent('12345', { name: 'a' });
    const [isWritten, mayEnd] = [gate(), gate()];
    const write = direct.storage.write.bind(direct.storage);
    direct.storage.write = async (...given) => {
      await write(...given);
      isWritten.open();
      await mayEnd.opened;
    };
    const other = files.create(Buffer.from('54321'), { name: 'a', storage: 'direct', owner: ben });
    await isWritten.opened;
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_LOCATION_PENDING' });
    mayEnd.open();
    expect(await text(await files.stream((await other).id))).toBe('54321');
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    expect(await text(await files.stream((await other).id))).toBe('54321');
  });

  it('keeps its location until its row is removed, after it was given up', async () => {
    const { uploads, sweeper, clock, notes } = await world({ location: ({ name }) => name });
    const begin = () => uploads.begin({ name: 'a', size: 5, storage: 'direct', actor: ada });
    const { id } = await begin();
    await expect(begin()).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    await uploads.abort(id);
    await expect(begin()).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
    expect(await reserved(await notes())).toBe(0);
    clock.now += HOUR + DAY;
    await sweeper.sweep();
    expect(await uploads.find((await begin()).id)).toMatchObject({ state: 'open' });
  });

  it('is removed, and ends, where the storage accepts no files of that size any more', async () => {
    const { uploads, direct, sent, notes } = await world();
    const id = await sent('12345');
    Object.assign(direct.storage, { maxSize: 4 });
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_FILE_TOO_LARGE' });
    expect([await direct.locations(), direct.open, await reserved(await notes())]).toEqual([[], 0, 0]);
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
  });

  it('is removed when it is given up, with the parts that arrive later', async () => {
    const { uploads, direct, sent, rows, notes, sweeper, clock } = await world();
    const id = await sent('12345');
    const [row] = await rows();
    await uploads.abort(id, { actor: ada });
    expect([await direct.locations(), direct.open, await reserved(await notes())]).toEqual([[], 0, 0]);
    const calls = [uploads.find(id), uploads.complete(id), uploads.abort(id), uploads.signParts(id, [1])];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });

    await direct.storage.write(row?.location ?? '', Readable.from([Buffer.from('late')]));
    clock.now += DAY + 1;
    expect(await sweeper.sweep()).toMatchObject({ examined: 0 });
    clock.now += DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1, bytesRemoved: 4, failed: 0 });
    expect([await direct.locations(), await rows()]).toEqual([[], []]);
  });

  it('signs nothing in its last second, which no request would outlive', async () => {
    const { uploads, clock } = await world();
    const { id } = await uploads.begin({ name: 'a.txt', size: 5, storage: 'direct' });
    clock.now += DAY - 1000;
    expect(await uploads.signParts(id, [1])).toHaveLength(1);
    clock.now += 1;
    await expect(uploads.signParts(id, [1])).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await uploads.find(id)).toMatchObject({ state: 'open' });
  });

  it('expires, and is swept', async () => {
    const { uploads, direct, sent, rows, notes, sweeper, clock } = await world();
    const id = await sent('12345');
    clock.now += DAY;
    for (const call of [uploads.find(id), uploads.complete(id), uploads.abort(id)])
      await expect(call).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1 });
    expect([direct.open, await reserved(await notes()), (await rows()).length]).toEqual([0, 0, 1]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 0 });
    clock.now += DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1 });
    expect(await rows()).toEqual([]);
  });

  it('waits for a storage that is not configured, and hinders no other one', async () => {
    const { uploads, direct, sent, rows, notes, sweeper, clock, dataSource } = await world();
    const log = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => log.mockRestore());
    const waiting = [await sent('12345'), await sent('12345')];
    await uploads.abort(waiting[1] ?? '');
    await dataSource.getRepository(FileUpload).update(waiting, { storage: 'archive' });
    const { id: other } = await uploads.begin({ name: 'a', size: 5, storage: 'direct', actor: ada });
    clock.now += 2 * DAY;
    for (const examined of [3, 2]) {
      expect(await sweeper.sweep()).toMatchObject({ examined, finished: examined - 2, failed: 2 });
      const lines = log.mock.calls.splice(0).map(([line]) => String(line));
      expect(lines).toEqual([expect.stringMatching(/^Could not sweep 2 .* in storage "archive", which is not/)]);
    }
    expect(await reserved(await notes())).toBe(0);
    expect(new Set((await rows()).map(({ id }) => id))).toEqual(new Set(waiting));
    expect(waiting).not.toContain(other);

    await dataSource.getRepository(FileUpload).update(waiting, { storage: 'direct' });
    expect(await sweeper.sweep()).toMatchObject({ finished: 2, failed: 0 });
    expect([await rows(), direct.open]).toEqual([[], 0]);
  });

  it('appears in the preview of a sweep', async () => {
    const { uploads, sent, sweeper, clock } = await world();
    const steps = async () => (await sweeper.preview()).map(({ kind, outcome }) => `${kind}: ${outcome}`);
    await uploads.complete(await sent('12345'));
    await sent('123456');
    expect(await steps()).toEqual(['upload: wait', 'upload: wait']);
    clock.now += DAY;
    expect((await steps()).toSorted()).toEqual(['upload: remove', 'upload: wait']);
    clock.now += DAY + 1000;
    expect((await steps()).toSorted()).toEqual(['upload: keep', 'upload: remove']);
    expect(await sweeper.preview({ limit: 1 })).toHaveLength(1);
    expect(await sweeper.sweep()).toMatchObject({ kept: 1, finished: 1, failed: 0 });
    expect(await steps()).toEqual([]);
  });

  it('leaves its row when it is a file, and the sweeper takes that alone', async () => {
    const { uploads, files, sent, rows, sweeper, clock } = await world();
    const id = await sent('12345');
    await uploads.complete(id);
    clock.now += 2 * DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, kept: 1, finished: 0 });
    expect([await rows(), await text(await files.stream(id))]).toEqual([[], '12345']);
  });

  it('lasts longer once all of it is there, so that it can be read in peace', async () => {
    const { uploads, direct, sent, rows, clock } = await world();
    const id = await sent('12345');
    clock.now += DAY - 1;
    const failing = Object.assign(direct.storage, { read: () => Promise.reject(new Error('not now')) });
    await expect(uploads.complete(id)).rejects.toThrow('not now');
    expect((await rows())[0]?.expiresAt).toEqual(new Date(clock.now + DAY));
    Reflect.deleteProperty(failing, 'read');
    clock.now += DAY - 1;
    expect(await uploads.complete(id)).toMatchObject({ id });
  });

  it('is not begun where the storage fails, and reserves nothing', async () => {
    const { uploads, direct, notes, dataSource } = await world();
    const storage = Object.assign(direct.storage, { direct: () => Promise.reject(new Error('not now')) });
    await expect(uploads.begin({ name: 'a', size: 5, storage: 'direct', actor: ada })).rejects.toThrow('not now');
    Reflect.deleteProperty(storage, 'direct');
    expect(await reserved(await notes())).toBe(0);
    expect(await dataSource.getRepository(FileUpload).countBy({ handle: 'x' })).toBe(0);
  });

  it('disappears where the unit of work that began it is rolled back', async () => {
    const { uploads, direct, rows, transactor, notes } = await world();
    const undone = transactor.run(async () => {
      await uploads.begin({ name: 'a', size: 5, storage: 'direct', actor: ada });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect([await rows(), direct.open, await notes()]).toEqual([[], 0, []]);
  });

  it('stays open where the unit of work that completed it is rolled back', async () => {
    const { uploads, files, sent, transactor } = await world();
    const id = await sent('12345');
    const undone = transactor.run(async () => {
      await uploads.complete(id);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    await expect(files.findOrFail(id)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    expect(await uploads.complete(id)).toMatchObject({ id });
  });

  it('keeps its parts in the storage for as long as it is open, whatever the sweeper’s grace', async () => {
    const { uploadSweep, sent, clock } = await world();
    const began = new Date(clock.now);
    await sent('12345');
    const later = new Date(clock.now + 5 * DAY);
    // The storage has a clock of its own, and may tell of whole seconds.
    expect(await uploadSweep.unknownBefore('direct', later)).toEqual(new Date(began.getTime() - 3_600_000));
    expect(await uploadSweep.unknownBefore('default', later)).toEqual(later);
  });

  it('leaves no bytes without a row, and no row without bytes', async () => {
    const { direct, uploads, sent, ...rest } = await world();
    await uploads.complete(await sent('12345'));
    await sent('123456');
    await uploads.abort(await sent('1234567'));
    await expectAgreement(rest as unknown as Parameters<typeof expectAgreement>[0]);
    expect(direct.open).toBe(0);
  });
});

const notFound = (id: string) => `There is no upload with the id "${id}". Begin another one.`;
