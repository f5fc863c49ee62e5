import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { UploadMalformedError, UploadAbortedError } from '../../errors/requests.errors.js';
import { watchArrival } from './arrival.js';
import { digestedBody } from './body-digest.js';
import { watchCut } from './cut-off.js';

/**
 * Gives the body of a request to `store` while it arrives. When `store` fails, the rest of the request is left unread.
 */
export async function receiveContent<T>(
  request: IncomingMessage,
  idleTimeout: number,
  store: (content: Readable) => Promise<T>,
): Promise<T> {
  const content = digestedBody(request) ?? new PassThrough();
  // It may fail when it is no longer read.
  content.on('error', () => {});
  const abort = (): void => void content.destroy(new UploadAbortedError());
  const watches: (() => void)[] = [];
  try {
    assertWhole(request);
    watches.push(
      watchArrival(request, idleTimeout, (error) => content.destroy(error)),
      watchCut(request, abort),
      watchLength(request, abort),
    );
    request.pipe(content);
    return await store(content);
  } catch (error) {
    request.unpipe(content);
    content.destroy();
    throw error;
  } finally {
    for (const end of watches) end();
  }
}

/** Calls `onWrong` where the body ends, and has not as many bytes as its Content-Length says. */
function watchLength(request: IncomingMessage, onWrong: () => void): () => void {
  const declared = request.headers['content-length'];
  if (declared === undefined) return () => {};
  let seen = 0;
  const count = (chunk: Buffer): void => void (seen += chunk.length);
  const check = (): void => {
    if (seen !== Number(declared)) onWrong();
  };
  // Before the content is told of the end.
  request.on('data', count).on('end', check);
  return () => void request.off('data', count).off('end', check);
}

function assertWhole(request: IncomingMessage): void {
  if (request.readableEnded || request.readableDidRead) {
    throw new UploadMalformedError(
      'a parser of the application had already read its body. Send it as application/octet-stream',
    );
  }
  if (request.destroyed) throw new UploadAbortedError();
  if (request.headers['content-range'] !== undefined) throw new UploadMalformedError('it is a part of a file');
  if (!/^(?:identity)?$/i.test(request.headers['content-encoding'] ?? '')) {
    throw new UploadMalformedError('its content is encoded');
  }
}
