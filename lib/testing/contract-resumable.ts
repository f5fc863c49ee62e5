import assert from 'node:assert/strict';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import { UploadBusyError } from '../errors/uploads.errors.js';
import type { Storage } from '../storage/storage.js';
import { contentOf, LARGE, listed } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';

/** What becomes of bytes that arrive in several requests. */
export function contractOfResumableUploads(test: ContractTest): void {
  test(
    'takes an upload in several requests, and shows it when it is finished',
    async (storage) => {
      const handle = await begun(storage);
      assert.equal(await offsetOf(storage, handle), 0);
      for (const [from, to] of [
        [0, 5],
        [5, 70_000],
        [70_000, 70_001],
        [70_001, LARGE.length],
      ] as const) {
        assert.equal(await appended(storage, handle, from, LARGE.subarray(from, to)), to);
        assert.equal(await offsetOf(storage, handle), to);
      }
      assert.equal(await storage.exists('d/resumed'), false);
      await assert.rejects(storage.read('d/resumed'), LocationNotFoundError);
      if (storage.can('list')) assert.deepEqual(await listed(storage), []);
      await finished(storage, handle);
      assert.ok((await contentOf(storage, 'd/resumed')).equals(LARGE));
      assert.equal(await offsetOf(storage, handle), undefined);
      await finished(storage, handle);
      await storage.resumable('d/resumed', (uploads) => uploads.abort('d/resumed'));
      assert.ok((await contentOf(storage, 'd/resumed')).equals(LARGE));
    },
    'resumableUploads',
    'stat',
  );

  test(
    'keeps a beginning of an upload whose content fails, and goes on there',
    async (storage) => {
      const handle = await begun(storage);
      const fault = new Error('the client is gone');
      const broken = storage.resumable('d/resumed', (uploads) =>
        uploads.append('d/resumed', handle, 0, breaking(LARGE.subarray(0, 100_000), fault)),
      );
      await assert.rejects(broken);
      const kept = (await offsetOf(storage, handle)) ?? -1;
      assert.ok(kept >= 0 && kept <= 100_000, `${kept} bytes are there`);
      await appended(storage, handle, kept, LARGE.subarray(kept));
      await finished(storage, handle);
      assert.ok((await contentOf(storage, 'd/resumed')).equals(LARGE));
    },
    'resumableUploads',
    'stat',
  );

  test(
    'keeps the bytes of the request that has an upload now, when the content of the one before tells of it',
    async (storage) => {
      const handle = await begun(storage);
      async function* overtaken(): AsyncGenerator<Uint8Array, void> {
        yield LARGE.subarray(0, 100);
        await appended(storage, handle, 0, LARGE.subarray(0, 70_000));
        throw new UploadBusyError('d/resumed');
      }
      const before = storage.resumable('d/resumed', (uploads) => uploads.append('d/resumed', handle, 0, overtaken()));
      await assert.rejects(before, UploadBusyError);
      assert.equal(await offsetOf(storage, handle), 70_000);
      await appended(storage, handle, 70_000, LARGE.subarray(70_000));
      await finished(storage, handle);
      assert.ok((await contentOf(storage, 'd/resumed')).equals(LARGE));
    },
    'resumableUploads',
  );

  test(
    'tells the first bytes of an upload, and makes an object of no bytes at all',
    async (storage) => {
      const handle = await begun(storage);
      assert.equal((await headOf(storage, handle, 9)).length, 0);
      await appended(storage, handle, 0, LARGE.subarray(0, 3));
      await appended(storage, handle, 3, LARGE.subarray(3, 20));
      assert.ok((await headOf(storage, handle, 9)).equals(LARGE.subarray(0, 9)));
      assert.ok((await headOf(storage, handle, 99)).equals(LARGE.subarray(0, 20)));
      const empty = await storage.resumable('d/empty', (uploads) => uploads.begin('d/empty', 0));
      await storage.resumable('d/empty', (uploads) => uploads.finish('d/empty', empty));
      assert.equal((await contentOf(storage, 'd/empty')).length, 0);
    },
    'resumableUploads',
  );

  test(
    'removes all bytes of an upload that is given up, and none of other uploads',
    async (storage) => {
      const handle = await begun(storage);
      await appended(storage, handle, 0, LARGE.subarray(0, 100));
      const other = await storage.resumable('d/resumed2', (uploads) => uploads.begin('d/resumed2', 50));
      const content = pieces(LARGE.subarray(0, 50));
      await storage.resumable('d/resumed2', (uploads) => uploads.append('d/resumed2', other, 0, content));
      await storage.resumable('d/resumed', (uploads) => uploads.abort('d/resumed'));
      await storage.resumable('d/resumed', (uploads) => uploads.abort('d/resumed'));
      assert.equal(await storage.exists('d/resumed'), false);
      assert.equal(await storage.resumable('d/resumed2', (uploads) => uploads.offset('d/resumed2', other)), 50);
    },
    'resumableUploads',
    'stat',
  );
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function* breaking(bytes: Buffer, fault: Error): AsyncGenerator<Uint8Array, void> {
  yield* pieces(bytes);
  throw fault;
}

function begun(storage: Storage): Promise<string> {
  return storage.resumable('d/resumed', (uploads) => uploads.begin('d/resumed', undefined));
}

function offsetOf(storage: Storage, handle: string): Promise<number | undefined> {
  return storage.resumable('d/resumed', (uploads) => uploads.offset('d/resumed', handle));
}

function appended(storage: Storage, handle: string, offset: number, bytes: Buffer): Promise<number> {
  return storage.resumable('d/resumed', (uploads) => uploads.append('d/resumed', handle, offset, pieces(bytes)));
}

function headOf(storage: Storage, handle: string, size: number): Promise<Buffer> {
  return storage.resumable('d/resumed', (uploads) => uploads.head('d/resumed', handle, size));
}

function finished(storage: Storage, handle: string): Promise<void> {
  return storage.resumable('d/resumed', (uploads) => uploads.finish('d/resumed', handle));
}
