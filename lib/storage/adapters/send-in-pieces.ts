import { UploadBusyError } from '../../errors/uploads.errors.js';

/**
 * Sends the content in pieces of at least this size, and the rest at the end. If the content breaks off, whatever has
 * come is sent, too, unless another request has the upload now.
 */
export async function sendInPieces(
  content: AsyncIterable<Uint8Array>,
  size: number,
  send: (piece: Buffer) => Promise<void>,
): Promise<void> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    if (length === 0) return;
    const piece = Buffer.concat(chunks);
    [chunks, length] = [[], 0];
    await send(piece);
  };
  try {
    for await (const chunk of content) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= size) await flush();
    }
  } catch (error) {
    if (!(error instanceof UploadBusyError)) await flush();
    throw error;
  }
  await flush();
}
