import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { UploadIdleError } from '../../errors/requests.errors.js';
import { overrideMember } from '../../unit-of-work/typeorm/override-member.js';

/** How long an upload may stall, in milliseconds. */
export const UPLOAD_IDLE_TIMEOUT = Symbol('UPLOAD_IDLE_TIMEOUT');

// A client that sends a byte now and then occupies a connection without progress.
const PROGRESS = 1024;

/**
 * The sockets of requests of which the body is read as an upload, or what is left of it discarded, which takes seconds
 * at most.
 */
const arriving = new WeakSet<object>();
const watched = new WeakSet<object>();

/**
 * Watches the body of a request that is read as an upload: calls `onIdle` where less than a kilobyte comes within
 * `timeout`. Time in which the stream is paused, because storage is slower than the client, does not count. Node's
 * `requestTimeout`, which ends a request however well it flows, is set aside meanwhile, for this connection alone. The
 * returned function ends the watch; the request timeout is restored when the request is over.
 */
export function watchArrival(
  request: IncomingMessage,
  timeout: number,
  onIdle: (error: UploadIdleError) => void,
): () => void {
  const { socket } = request;
  setRequestTimeoutAside(request);
  arriving.add(socket);
  const over = (): void => void arriving.delete(socket);
  request.once('end', over).once('close', over);
  let timer: NodeJS.Timeout | undefined;
  // What is seen, and what is left of the time, outlast a pause: a reader may pause after each byte.
  let seen = 0;
  let left = timeout;
  let since = 0;
  const stop = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    left -= performance.now() - since;
  };
  const start = (): void => {
    if (timer !== undefined || timeout === Infinity) return;
    since = performance.now();
    timer = setTimeout(() => onIdle(new UploadIdleError(timeout)), Math.max(left, 1));
  };
  const progress = (chunk: Buffer): void => {
    seen += chunk.length;
    if (seen < PROGRESS) return;
    stop();
    seen = 0;
    left = timeout;
    if (!request.isPaused()) start();
  };
  const end = (): void => {
    stop();
    request.off('data', progress).off('pause', stop).off('resume', start).off('end', end).off('close', end);
  };
  request.on('data', progress).on('pause', stop).on('resume', start).on('end', end).on('close', end);
  if (!request.isPaused()) start();
  return end;
}

/**
 * Node looks through the connections of a server now and then, and tells that a request's time is over as a
 * `clientError`, which is asked about before the default, a 408: https://nodejs.org/api/http.html#event-clienterror.
 * Events of other connections, and other errors, are left alone.
 */
function setRequestTimeoutAside({ socket }: IncomingMessage): void {
  const { server } = socket as { server?: EventEmitter };
  if (!server || watched.has(server)) return;
  watched.add(server);
  const emit = server.emit.bind(server);
  overrideMember(server, 'emit', (event: string | symbol, ...args: unknown[]) => {
    const [error, client] = args as [{ code?: string } | undefined, object | undefined];
    const isTimeout = event === 'clientError' && error?.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    return (isTimeout && client !== undefined && arriving.has(client)) || emit(event, ...args);
  });
}
