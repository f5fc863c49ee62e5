import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { UploadAbortedError, UploadMalformedError } from '../../errors/requests.errors.js';
import { watchArrival } from '../form/arrival.js';

// One chunk of the socket. There may be hundreds of requests at once.
const READ_AHEAD = 16 * 1024;

/** The bytes of a request. */
export interface ChunkBody {
  /** Ends also where the request breaks off: what has come by then is kept. */
  content: Readable;
  /** Why it ended early; undefined if it is whole. */
  failure(): Error | undefined;
}

/** Gives the body of a request to `store` while it arrives. When `store` fails, the rest of the request is left unread. */
export async function receiveChunk<T>(
  request: IncomingMessage,
  idleTimeout: number,
  store: (body: ChunkBody) => Promise<T>,
): Promise<T> {
  assertUnread(request);
  const content = new PassThrough({ highWaterMark: READ_AHEAD });
  content.on('error', () => {}); // thrown where it is read
  let failure: Error | undefined;
  const cut = (error: Error): void => {
    failure ??= error;
    request.unpipe(content);
    content.end();
  };
  const abort = (): void => {
    if (!request.complete) cut(new UploadAbortedError());
  };
  const unwatch = watchArrival(request, idleTimeout, cut);
  try {
    request.on('error', abort).on('close', abort).pipe(content);
    return await store({ content, failure: () => failure });
  } catch (error) {
    request.unpipe(content);
    content.destroy();
    throw error;
  } finally {
    unwatch();
    request.off('close', abort);
  }
}

function assertUnread(request: IncomingMessage): void {
  if (request.readableEnded || request.readableDidRead) {
    throw new UploadMalformedError('its body was read before it came here, by a parser of the application');
  }
  if (request.destroyed) throw new UploadAbortedError();
  if (!/^(?:identity)?$/i.test(request.headers['content-encoding'] ?? '')) {
    throw new UploadMalformedError('its content is encoded');
  }
}
