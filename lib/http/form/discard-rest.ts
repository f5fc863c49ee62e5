import type { IncomingMessage } from 'node:http';
import { constants } from 'node:http2';
import type { Http2Stream } from 'node:http2';

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_MILLISECONDS = 5_000;
// A client that has sent no byte for so long is waiting for the answer.
const MAX_IDLE_MILLISECONDS = 1_000;

/** Runs `work`, which reads the body of the request. If it fails, the rest of the body is discarded. */
export async function orDiscard<T>(request: IncomingMessage, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await discardRest(request);
    throw error;
  }
}

/**
 * Reads on, for a while, when a request is answered early: a client that writes first and reads later gets the answer,
 * and the connection stays usable. One that sends on and on is cut off. Where the connection ends with the answer,
 * resolves only when the rest was read: unread bytes then make the system reset the connection, and the reset overtakes
 * the answer.
 */
export async function discardRest(request: IncomingMessage): Promise<void> {
  const stream = streamOf(request);
  // Node keeps it while anything is unread that came before the client closed it without an error.
  if (request.aborted) stream?.destroy();
  if (request.readableEnded || request.destroyed || request.aborted) return;
  const isKept = isKeptAlive(request);
  const discarded = new Promise<void>((resolve) => {
    let seen = 0;
    const stop = (): void => {
      clearTimeout(idle);
      // https://www.rfc-editor.org/rfc/rfc9113#section-8.1: the answer is whole, and the client shall not send on.
      if (stream) stream.close(constants.NGHTTP2_NO_ERROR);
      else if (isKept) request.destroy();
      else request.pause();
      resolve();
    };
    const timer = setTimeout(stop, MAX_MILLISECONDS).unref();
    const idle = isKept ? undefined : setTimeout(stop, MAX_IDLE_MILLISECONDS).unref();
    const done = (): void => {
      clearTimeout(timer);
      clearTimeout(idle);
      resolve();
    };
    request.on('error', () => {});
    request.once('end', done).once('close', done);
    request.on('data', (chunk: Buffer) => {
      seen += chunk.length;
      idle?.refresh();
      if (seen > MAX_BYTES) stop();
    });
    request.resume();
  });
  if (!isKept) await discarded;
}

/** The stream of a request on HTTP/2. */
function streamOf(request: IncomingMessage): Http2Stream | undefined {
  return (request as { stream?: Http2Stream }).stream;
}

/** Whether the client keeps the connection: https://www.rfc-editor.org/rfc/rfc9112#section-9.3 */
function isKeptAlive({ headers, httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  const asked = (headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());
  if (asked.includes('close')) return false;
  return httpVersionMajor > 1 || httpVersionMinor >= 1 || asked.includes('keep-alive');
}
