import { Readable } from 'node:stream';
import type { ByteRange } from './storage-adapter.js';

/**
 * The range of content that can only be read from its beginning, for adapters whose source knows no ranges. Bytes
 * before the range are read and dropped; after it nothing is read. The content is destroyed with the returned stream,
 * and at the end of the range.
 */
export function cutToRange(content: Readable, { start, end }: ByteRange): Readable {
  const chunks = (content as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let at = 0;
  const next = async (): Promise<void> => {
    for (;;) {
      const { value, done } = await chunks.next();
      if (done) return void part.push(null);
      const wanted = value.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
      at += value.length;
      const isLast = at > end;
      if (isLast) content.destroy();
      if (wanted.length > 0) part.push(wanted);
      if (isLast) return void part.push(null);
      if (wanted.length > 0) return;
    }
  };
  const part = new Readable({
    read: () => void next().catch((error: unknown) => part.destroy(error as Error)),
    destroy: (error, done) => {
      content.destroy();
      done(error);
    },
  });
  // The iterator gives it to the reader.
  content.on('error', () => {});
  return part;
}
