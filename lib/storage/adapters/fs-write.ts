import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

const BATCH_SIZE = 512 * 1024;

/**
 * Writes what is there already at once, up to a batch: one call for many chunks is what makes large files fast. Waits for
 * `wrote`, which is told of every batch but the last.
 */
export async function writeContent(
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

async function writeAll(handle: FileHandle, batch: Uint8Array[], size: number): Promise<void> {
  const { bytesWritten } = await handle.writev(batch);
  if (bytesWritten === size) return;
  // A write may take less than it was given.
  const rest = Buffer.concat(batch);
  for (let at = bytesWritten; at < size;) at += (await handle.write(rest, at)).bytesWritten;
}
