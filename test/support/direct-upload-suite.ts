import { randomBytes } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { DirectUpload, Storage, UploadedPart } from 'nestjs-files/storage';

/** A storage on a real server, and what is on that server. */
export interface DirectWorld {
  storage: Storage;
  /** The content type and cache control that the server has for the object. */
  served(location: string): Promise<(string | undefined)[]>;
  /** Whatever of uploads is on the server, and is no object of the storage. */
  unfinished(): Promise<string[]>;
}

export const soon = (): Date => new Date(Date.now() + 60_000);

export const sign = (storage: Storage, upload: DirectUpload, number: number, size: number) =>
  storage.direct('file', (uploads) => uploads.sign('file', upload, { number, size, expiresAt: soon() }));

export const begin = (storage: Storage, size: number) =>
  storage.direct('file', (uploads) => uploads.begin('file', size));

export const partsOf = (storage: Storage, upload: DirectUpload) =>
  storage.direct('file', (uploads) => uploads.parts('file', upload));

export async function finish(storage: Storage, upload: DirectUpload, parts?: UploadedPart[]): Promise<void> {
  const all = parts ?? (await partsOf(storage, upload));
  await storage.direct('file', (uploads) => uploads.finish('file', upload, all));
}

export const contentOf = async (storage: Storage): Promise<string> => text(await storage.read('file'));

/** Sends the part, and gives how to send it again. */
export async function send(storage: Storage, upload: DirectUpload, number: number, bytes: Buffer<ArrayBuffer>) {
  const { url, method, headers } = await sign(storage, upload, number, bytes.length);
  const put = async (body: string | Buffer<ArrayBuffer>, further: Record<string, string> = {}) =>
    (await fetch(url, { method, headers: { ...headers, ...further }, body })).status;
  expect(await put(bytes)).toBeLessThan(300);
  return { url, put };
}

/** What holds of clients that send to a server themselves, whatever its requests are called. */
export function describeDirectUploads(name: string, newWorld: () => Promise<DirectWorld>): void {
  describe(`a client that sends to ${name}`, () => {
    it('cannot change the object once it is there, whatever it still has signed', async () => {
      const { storage, unfinished } = await newWorld();
      const upload = await begin(storage, 5);
      const { put } = await send(storage, upload, 1, Buffer.from('wrong'));
      expect(await put('first')).toBeLessThan(300);
      const { put: putLate } = await send(storage, upload, 1, Buffer.from('first'));
      await finish(storage, upload);
      expect(await unfinished()).toEqual([]);
      for (const again of [put, putLate]) await again('again');
      await finish(storage, upload);
      expect(await contentOf(storage)).toBe('first');
      await storage.direct('file', (uploads) => uploads.abort('file'));
      expect([await contentOf(storage), await unfinished()]).toEqual(['first', []]);
    });

    it('sends an empty file', async () => {
      const { storage, unfinished } = await newWorld();
      const upload = await begin(storage, 0);
      expect(await partsOf(storage, upload)).toEqual([]);
      await send(storage, upload, 1, Buffer.alloc(0));
      expect(await partsOf(storage, upload)).toMatchObject([{ number: 1, size: 0 }]);
      await finish(storage, upload);
      expect(await storage.stat('file')).toMatchObject({ size: 0 });
      expect(await unfinished()).toEqual([]);
    });

    it('sends a large one in parts, in any order, and repeats some', async () => {
      const { storage } = await newWorld();
      const { partSize } = await begin(storage, 1);
      const bytes = randomBytes(2 * partSize + 1000);
      const upload = await begin(storage, bytes.length);
      for (const number of [3, 1, 2, 1])
        await send(storage, upload, number, bytes.subarray((number - 1) * partSize, number * partSize));
      expect((await partsOf(storage, upload)).map(({ number, size }) => [number, size])).toEqual([
        [1, partSize],
        [2, partSize],
        [3, 1000],
      ]);
      await finish(storage, upload);
      expect((await buffer(await storage.read('file'))).equals(bytes)).toBe(true);
    });

    it('is finished by one of several that finish it at once, and all are content', async () => {
      const { storage, unfinished } = await newWorld();
      const upload = await begin(storage, 5);
      await send(storage, upload, 1, Buffer.from('first'));
      const parts = await partsOf(storage, upload);
      await Promise.all(Array.from({ length: 5 }, () => finish(storage, upload, parts)));
      expect([await contentOf(storage), await unfinished()]).toEqual(['first', []]);
    });

    it('cannot choose the type that the object is served as', async () => {
      const { storage, served } = await newWorld();
      const upload = await begin(storage, 5);
      const { put } = await send(storage, upload, 1, Buffer.from('<b>x<'));
      const headers = { 'content-type': 'text/html', 'cache-control': 'public' };
      expect(await put('<b>x<', headers)).toBeLessThan(300);
      await finish(storage, upload);
      expect(await served('file')).toEqual([
        expect.stringMatching(/^(?:binary|application)\/octet-stream$/),
        undefined,
      ]);
    });

    it('loses what it sent when that is aborted, and nobody else does', async () => {
      const { storage, unfinished } = await newWorld();
      const uploads = await Promise.all([begin(storage, 5), begin(storage, 5)]);
      for (const upload of uploads) await send(storage, upload, 1, Buffer.from('first'));
      const neighbour = await storage.direct('file2', (uploads) => uploads.begin('file2', 5));
      const part = { number: 1, size: 5, expiresAt: soon() };
      const { url, ...how } = await storage.direct('file2', (uploads) => uploads.sign('file2', neighbour, part));
      await fetch(url, { ...how, body: 'other' });
      await storage.direct('file', (uploads) => uploads.abort('file'));
      expect(await unfinished()).toHaveLength(1);
      for (const upload of uploads) expect(await partsOf(storage, upload)).toEqual([]);
      expect(await storage.direct('file2', (uploads) => uploads.parts('file2', neighbour))).toHaveLength(1);
    });
  });
}
