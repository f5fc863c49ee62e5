import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { UploadMalformedError, UploadAbortedError } from '../../errors/requests.errors.js';
import { watchArrival } from './arrival.js';
import { digestedBody } from './body-digest.js';

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
  const abort = (): void => {
    if (!request.complete) content.destroy(new UploadAbortedError());
  };
  let unwatch: (() => void) | undefined;
  try {
    assertWhole(request);
    unwatch = watchArrival(request, idleTimeout, (error) => content.destroy(error));
    request.on('error', abort).on('close', abort).pipe(content);
    return await store(content);
  } catch (error) {
    request.unpipe(content);
    content.destroy();
    throw error;
  } finally {
    unwatch?.();
    request.off('close', abort);
  }
}

function assertWhole(request: IncomingMessage): void {
  if (request.readableEnded || request.readableDidRead) {
    throw new UploadMalformedError(
      'its body was read before it came here, by a parser of the application. Send it as application/octet-stream',
    );
  }
  if (request.destroyed) throw new UploadAbortedError();
  if (request.headers['content-range'] !== undefined) throw new UploadMalformedError('it is a part of a file');
  if (!/^(?:identity)?$/i.test(request.headers['content-encoding'] ?? '')) {
    throw new UploadMalformedError('its content is encoded');
  }
}
