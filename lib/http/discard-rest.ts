import type { IncomingMessage } from 'node:http';

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_MILLISECONDS = 5_000;

/**
 * Reads on, for a while, after a request was answered early: a client that writes first and reads later gets the answer, and
 * the connection stays usable. One that sends on and on is cut off.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return;
  let seen = 0;
  const cutOff = (): void => void request.destroy();
  const timer = setTimeout(cutOff, MAX_MILLISECONDS).unref();
  request.on('error', () => {});
  request.once('end', () => clearTimeout(timer));
  request.once('close', () => clearTimeout(timer));
  request.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > MAX_BYTES) cutOff();
  });
  request.resume();
}
