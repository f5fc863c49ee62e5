import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UploadBusyError } from 'nestjs-files/errors';
import type { Storage } from 'nestjs-files/storage';
import { startApp } from './http-app.js';
import { checksum, openPatch, sendByTus, tusOf } from './tus-app.js';

/** A storage on a real server, and what is on that server. */
export interface TusWorld {
  storage: Storage;
  /** Whatever is on the server, but the mark: objects, and what is not finished. */
  left(): Promise<string[]>;
}

const MIB = 1024 ** 2;
const BYTES = randomBytes(17 * MIB + 5);

/**
 * What holds of resumable uploads on a server that takes no appended bytes as they come. `piece`: it keeps bytes in
 * pieces of so many.
 */
export function describeTus(name: string, piece: number, newWorld: () => Promise<TusWorld>): void {
  const start = async () => {
    const world = await newWorld();
    const app = await startApp({ options: { storages: { default: world.storage } } });
    return { ...world, ...app, ...tusOf(app) };
  };

  describe(`resumable uploads to ${name}`, () => {
    it('take pieces of any size, and tell after each of them how much is there', async () => {
      const { create, patch, offset, content, left } = await start();
      const { path, id } = await create({ 'Upload-Length': BYTES.length }, BYTES.subarray(0, 1));
      let at = 1;
      for (const size of [1, 5 * MIB - 3, 1, 1, 7_000_000, 0, 3, BYTES.length]) {
        const bytes = BYTES.subarray(at, at + size);
        expect((await patch(path, at, bytes)).status).toBe(204);
        at += bytes.length;
        expect(await offset(path)).toBe(at);
      }
      expect((await content(id)).equals(BYTES)).toBe(true);
      expect(await left()).toHaveLength(1);
    });

    it.each([0, 1, piece - 1, piece, piece + 1, 2 * piece])('take %i bytes at once', async (size) => {
      const { create, content, left } = await start();
      const bytes = BYTES.subarray(0, size);
      const { headers, id } = await create({ 'Upload-Length': size, 'Upload-Checksum': checksum(bytes) }, bytes);
      expect(headers.get('file-id')).toBe(id);
      expect((await content(id)).equals(bytes)).toBe(true);
      expect(await left()).toHaveLength(1);
    });

    it('keep what came before the connection broke', async () => {
      const { create, patch, offset, content, url, left } = await start();
      const { path, id } = await create({ 'Upload-Length': BYTES.length });
      const { request, answered } = openPatch(url, path, 0, BYTES.length);
      request.write(BYTES.subarray(0, Math.max(13_000_000, 2 * piece + 100_000)));
      await expect.poll(() => offset(path), { timeout: 30_000 }).toBeGreaterThanOrEqual(2 * piece);
      request.destroy();
      await answered;
      const rest = async () => {
        const kept = await offset(path);
        return (await patch(path, kept, BYTES.subarray(kept))).status;
      };
      await expect.poll(rest, { timeout: 30_000 }).toBe(204);
      expect((await content(id)).equals(BYTES)).toBe(true);
      expect(await left()).toHaveLength(1);
    });

    it('tell what is there where a process has died before the end of its request', async () => {
      const { storage, left } = await newWorld();
      const on = storage.resumable.bind(storage);
      const handle = await on('file', (place) => place.begin('file', BYTES.length));
      await on('file', (place) => place.append('file', handle, 0, dying(1000)));
      // Whoever has lost its lease writes nothing any more, as if it were dead.
      const dead = on('file', (place) => place.append('file', handle, 1000, dying(2 * piece + 7, 1000)));
      await expect(dead).rejects.toThrow(UploadBusyError);
      const kept = (await on('file', (place) => place.offset('file', handle))) ?? 0;
      expect(kept).toBeGreaterThanOrEqual(piece);
      await on('file', (place) => place.append('file', handle, kept, dying(BYTES.length, kept, false)));
      await on('file', (place) => place.finish('file', handle));
      const chunks: Buffer[] = [];
      for await (const chunk of await storage.read('file')) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(BYTES)).toBe(true);
      expect(await left()).toHaveLength(1);
    });

    it('are joined where the client has sent parts of a file beside each other', async () => {
      const { url, content, left } = await start();
      const id = await sendByTus(url, BYTES, { parallelUploads: 3, chunkSize: 3 * MIB });
      expect((await content(id)).equals(BYTES)).toBe(true);
      expect(await left()).toHaveLength(1);
    });

    it('leave nothing where they are given up', async () => {
      const { create, patch, send, left } = await start();
      const { path } = await create({ 'Upload-Length': BYTES.length }, BYTES.subarray(0, piece + 7));
      expect((await patch(path, piece + 7, BYTES.subarray(piece + 7, 2 * piece))).status).toBe(204);
      expect((await send('DELETE', path)).status).toBe(204);
      expect(await left()).toEqual([]);
    });
  });
}

/** The bytes from one to another; then the lease is lost, if there are more than a few. */
async function* dying(end: number, begin = 0, dies = begin > 0): AsyncGenerator<Uint8Array, void> {
  for (let at = begin; at < end; at += 65_536) yield BYTES.subarray(at, Math.min(at + 65_536, end));
  if (dies) throw new UploadBusyError('x');
}
