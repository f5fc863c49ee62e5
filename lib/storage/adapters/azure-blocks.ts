import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { BlockBlobClient } from '@azure/storage-blob';
import { inParts } from './in-parts.js';

// One is filled while two are on their way: that is the memory of a write, for a file of any size.
export const BLOCK_SIZE = 8 * 1024 * 1024;
// Azure's limit for a blob: 390 GiB with blocks of this size.
export const MAX_BLOCKS = 50_000;

/**
 * Sends the content in blocks, which stay invisible until their names are committed. Content of no more than one block
 * is returned instead, to be sent at once. `beforeFirst` is called before the first block is sent. When it fails,
 * nothing is on its way any more.
 */
export async function stageBlocks(
  blob: BlockBlobClient,
  content: Readable,
  beforeFirst: () => Promise<void>,
): Promise<Buffer | string[]> {
  const abort = new AbortController();
  // Blocks of one name replace each other, also those of several writes at once.
  const write = randomUUID();
  const names: string[] = [];
  let latest: Promise<unknown> = Promise.resolve();
  try {
    for await (const { bytes, isLast } of inParts(content, BLOCK_SIZE)) {
      if (isLast && names.length === 0) return bytes;
      if (names.length === 0) await beforeFirst();
      if (names.length === MAX_BLOCKS)
        throw new Error(`a blob has at most ${MAX_BLOCKS} blocks of ${BLOCK_SIZE} bytes`);
      const name = blockName(write, names.length);
      names.push(name);
      const before = latest;
      latest = blob.stageBlock(name, bytes, bytes.length, { abortSignal: abort.signal });
      // Thrown where it is awaited, which can be a while later.
      latest.catch(() => {});
      await before;
    }
    await latest;
    return names;
  } catch (error) {
    abort.abort();
    await Promise.allSettled([latest]);
    throw error;
  }
}

/** All names in a blob have one length: Azure refuses others. */
export function blockName(write: string, at: number): string {
  return Buffer.from(`${write}-${String(at).padStart(5, '0')}`).toString('base64');
}
