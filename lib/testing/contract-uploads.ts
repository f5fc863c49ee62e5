import assert from 'node:assert/strict';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import type { DirectUpload, SignedRequest } from '../storage/direct-upload-adapter.js';
import type { Storage } from '../storage/storage.js';
import { contentOf, LARGE, listed } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';

/** What becomes of bytes that clients send to the storage themselves. */
export function contractOfUploads(test: ContractTest): void {
  test(
    'takes what a client sends, and shows it when it is finished',
    async (storage) => {
      const { upload, parts } = await sentBy(storage, 'd/direct', LARGE);
      assert.equal(await storage.exists('d/direct'), false);
      await assert.rejects(storage.read('d/direct'), LocationNotFoundError);
      if (storage.can('list')) assert.deepEqual(await listed(storage), []);
      const there = await storage.direct('d/direct', (uploads) => uploads.parts('d/direct', upload));
      assert.deepEqual(
        there.map(({ number, size }) => ({ number, size })),
        parts.map(({ number, size }) => ({ number, size })),
      );
      await storage.direct('d/direct', (uploads) => uploads.finish('d/direct', upload, there));
      assert.ok((await contentOf(storage, 'd/direct')).equals(LARGE));
      await storage.direct('d/direct', (uploads) => uploads.finish('d/direct', upload, there));
    },
    'directUploads',
    'stat',
  );

  test(
    'lets no client change what is finished',
    async (storage) => {
      const { upload, parts } = await sentBy(storage, 'd/direct', Buffer.from('first'));
      const there = await storage.direct('d/direct', (uploads) => uploads.parts('d/direct', upload));
      await storage.direct('d/direct', (uploads) => uploads.finish('d/direct', upload, there));
      // Whatever that is answered: it need not be where the object is.
      for (const { url, method, headers } of parts) await fetch(url, { method, headers, body: 'again' });
      assert.equal(String(await contentOf(storage, 'd/direct')), 'first');
      await storage.direct('d/direct', (uploads) => uploads.abort('d/direct'));
      assert.equal(String(await contentOf(storage, 'd/direct')), 'first');
    },
    'directUploads',
  );

  test(
    'removes all bytes of an aborted upload, and none of other uploads',
    async (storage) => {
      const { upload } = await sentBy(storage, 'd/direct', Buffer.from('first'));
      const other = await sentBy(storage, 'd/direct2', Buffer.from('other'));
      await storage.direct('d/direct', (uploads) => uploads.abort('d/direct'));
      assert.deepEqual(await storage.direct('d/direct', (uploads) => uploads.parts('d/direct', upload)), []);
      await storage.direct('d/direct', (uploads) => uploads.abort('d/direct'));
      assert.equal(await storage.exists('d/direct'), false);
      const left = await storage.direct('d/direct2', (uploads) => uploads.parts('d/direct2', other.upload));
      assert.equal(left.length, 1);
    },
    'directUploads',
    'stat',
  );
}

/** Sends the bytes as a client does. */
async function sentBy(
  storage: Storage,
  location: string,
  bytes: Buffer<ArrayBuffer>,
): Promise<{ upload: DirectUpload; parts: (SignedRequest & { number: number; size: number })[] }> {
  const upload = await storage.direct(location, (uploads) => uploads.begin(location, bytes.length));
  const parts: (SignedRequest & { number: number; size: number })[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += upload.partSize) {
    const body = bytes.subarray(at, at + upload.partSize);
    const part = { number: parts.length + 1, size: body.length, expiresAt: new Date(Date.now() + 60_000) };
    const signed = await storage.direct(location, (uploads) => uploads.sign(location, upload, part));
    const answer = await fetch(signed.url, { method: signed.method, headers: signed.headers, body });
    assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
    parts.push({ ...signed, number: part.number, size: part.size });
  }
  return { upload, parts };
}
