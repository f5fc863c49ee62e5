import { UploadBusyError } from '../../errors/uploads.errors.js';

/**
 * Sends the content in pieces of this size, and the rest at the end. If the content breaks off, whatever has come is
 * sent, too, unless another request has the upload now. After a piece that could not be sent, none is.
 */
export async function sendInPieces(
  content: AsyncIterable<Uint8Array>,
  size: number,
  send: (piece: Buffer) => Promise<void>,
): Promise<void> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  const flush = async (end: number): Promise<void> => {
    const all = Buffer.concat(chunks);
    [chunks, length] = [[], 0];
    for (let at = 0; at < end; at += size) await send(all.subarray(at, Math.min(at + size, end)));
    if (end < all.length) [chunks, length] = [[all.subarray(end)], all.length - end];
  };
  try {
    for await (const chunk of content) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= size) await flush(length - (length % size));
    }
  } catch (error) {
    if (!(error instanceof UploadBusyError)) await flush(length);
    throw error;
  }
  await flush(length);
}
