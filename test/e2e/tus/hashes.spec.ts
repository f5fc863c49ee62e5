import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FilesService } from 'nestjs-files';
import { FilesAudit } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { faultyStorage } from 'nestjs-files/testing';
import { newDirectory } from '../../support/files-directory.js';
import { startTus } from '../../support/tus-app.js';

const BYTES = randomBytes(300_000);
const HASH = createHash('sha256').update(BYTES).digest('hex');

describe('the hash of an upload', () => {
  it('is that of all bytes, and none of them is read again where all came through one process', async () => {
    const storage = fsStorage({ root: newDirectory() });
    const ranges: unknown[] = [];
    const read = storage.read.bind(storage);
    storage.read = (location, range) => {
      ranges.push(range);
      return read(location, range);
    };
    const { create, patch, app } = await startTus('express', { storages: { default: storage } });
    const { path, id } = await create({ 'Upload-Length': BYTES.length }, BYTES.subarray(0, 1000));
    await patch(path, 1000, BYTES.subarray(1000, 200_000));
    await patch(path, 1000, BYTES.subarray(1000));
    expect((await patch(path, 200_000, BYTES.subarray(200_000))).status).toBe(204);
    expect((await app.get(FilesService).findOrFail(id)).hash).toBe(HASH);
    expect(ranges).toEqual([{ start: 0, end: 65_535 }]);
    for await (const finding of app.get(FilesAudit).run({ deep: true })) expect(finding).toBeUndefined();
  });

  it('is read again where the storage has lost the answer to a request', async () => {
    const storage = faultyStorage(fsStorage({ root: newDirectory() }));
    const { create, patch, offset, app } = await startTus('express', { storages: { default: storage } });
    const { path, id } = await create({ 'Upload-Length': BYTES.length }, BYTES.subarray(0, 1000));
    // The call after the one that asks for the offset.
    storage.failAt(2, 'after');
    expect((await patch(path, 1000, BYTES.subarray(1000, 200_000))).status).toBe(500);
    expect(await offset(path)).toBe(200_000);
    expect((await patch(path, 200_000, BYTES.subarray(200_000))).status).toBe(204);
    expect((await app.get(FilesService).findOrFail(id)).hash).toBe(HASH);
  });
});
