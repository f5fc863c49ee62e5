import type { Readable } from 'node:stream';

/** The content in pieces of exactly this size; the last one has the rest. Empty content gives one empty piece. */
export async function* inParts(
  content: Readable,
  size: number,
): AsyncGenerator<{ bytes: Buffer; isLast: boolean }, void> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    chunks.push(bytes);
    length += bytes.length;
    if (length <= size) continue;
    const all = Buffer.concat(chunks);
    let at = 0;
    for (; length - at > size; at += size) yield { bytes: all.subarray(at, at + size), isLast: false };
    // Copied, or the little that is left would keep all of it in memory.
    chunks = [Buffer.from(all.subarray(at))];
    length -= at;
  }
  yield { bytes: Buffer.concat(chunks), isLast: true };
}
