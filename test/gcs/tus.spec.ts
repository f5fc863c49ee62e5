import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { describeTus } from '../support/tus-suite.js';
import { GCS, namesIn, newBucket } from './server.js';

const PIECE = 8 * 1024 * 1024;

describe.skipIf(!GCS)('Google Cloud Storage', () => {
  describeTus('a bucket', PIECE, async () => {
    const bucket = await newBucket();
    const left = async () => (await namesIn(bucket)).filter((name) => name !== '.nestjs-files/mark');
    return { storage: gcsStorage({ bucket }), left };
  });

  describe('the pieces of a resumable upload', () => {
    async function* bytes(content: string): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from(content);
    }

    const begun = async () => {
      const storage = gcsStorage({ bucket: await newBucket() });
      const on = storage.resumable.bind(storage);
      const handle = await on('file', (place) => place.begin('file', undefined));
      const append = (offset: number, content: string) =>
        on('file', (place) => place.append('file', handle, offset, bytes(content)));
      const finish = () => on('file', (place) => place.finish('file', handle));
      return { storage, on, handle, append, finish };
    };

    it('are those of one of several requests that append at the same byte', async () => {
      const { storage, append, finish } = await begun();
      await append(0, 'first,');
      const contents = ['one', 'three', 'seven'];
      const outcomes = await Promise.allSettled(contents.map((content) => append(6, content)));
      const won = contents.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      expect(won).toHaveLength(1);
      await finish();
      expect(await text(await storage.read('file'))).toBe(`first,${won[0]}`);
    });

    it('become no file, not even an empty one, once they are given up', async () => {
      const { storage, on, append, finish } = await begun();
      await append(0, 'first');
      await on('file', (place) => place.abort('file'));
      await expect(finish()).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect(await storage.exists('file')).toBe(false);
    });

    it('are removed as leftovers when they are old, and the file is not', async () => {
      const { storage, append } = await begun();
      await append(0, 'first');
      await storage.write('other', Readable.from(['other']));
      expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });
      expect(await storage.removeLeftovers(new Date(Date.now() + 60_000))).toEqual({ count: 2, size: 5 });
      expect(await storage.exists('other')).toBe(true);
    });
  });
});
