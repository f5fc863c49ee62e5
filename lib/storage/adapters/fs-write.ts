import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FsFlush } from './fs-flush.js';
import type { FsModes } from './fs-root.js';

const BATCH_SIZE = 512 * 1024;

/**
 * Makes a file of the content, which the disk has afterwards where `isFlushed` says so. Throws where there is a file.
 */
export async function writeNew(
  path: string,
  content: Readable,
  { modes, isFlushed }: { modes: FsModes; isFlushed: boolean },
): Promise<void> {
  const handle = await open(path, 'wx', modes.file);
  const flush = isFlushed ? new FsFlush(handle) : undefined;
  try {
    if (modes.isAsked) await handle.chmod(modes.file);
    await writeContent(handle, content, (size) => flush?.add(size));
    await flush?.finish();
  } finally {
    await flush?.settle();
    await handle.close();
  }
}

/**
 * Writes the content at the position, each chunk as it comes, and gives the position behind it, once the disk has it
 * where `isFlushed` says so. If the content fails, the bytes that came before are there.
 */
export async function appendContent(
  handle: FileHandle,
  begin: number,
  content: AsyncIterable<Uint8Array>,
  isFlushed: boolean,
): Promise<number> {
  const flush = isFlushed ? new FsFlush(handle) : undefined;
  let position = begin;
  try {
    for await (const chunk of content) {
      await writeAll(handle, [chunk], chunk.length, position);
      position += chunk.length;
      await flush?.add(chunk.length);
    }
    await flush?.finish();
  } finally {
    await flush?.settle();
  }
  return position;
}

/**
 * Writes all present chunks at once, up to a batch, because one call for many chunks makes large files fast. Waits for
 * `wrote`, which is called for every batch but the last.
 */
async function writeContent(
  handle: FileHandle,
  content: Readable,
  wrote: (size: number) => Promise<void> | undefined,
): Promise<void> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    batch.push(bytes);
    size += bytes.length;
    if (size < BATCH_SIZE && content.readableLength > 0) continue;
    await writeAll(handle, batch, size);
    await wrote(size);
    [batch, size] = [[], 0];
  }
  if (size > 0) await writeAll(handle, batch, size);
}

/** Writes at the position, by default behind the last write. */
async function writeAll(handle: FileHandle, batch: Uint8Array[], size: number, position?: number): Promise<void> {
  const { bytesWritten } = await handle.writev(batch, position);
  if (bytesWritten === size) return;
  // A write may take less than it was given.
  const rest = Buffer.concat(batch);
  for (let at = bytesWritten; at < size;) {
    const place = position === undefined ? null : position + at;
    at += (await handle.write(rest, at, size - at, place)).bytesWritten;
  }
}
