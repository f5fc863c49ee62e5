import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** How long a download may stand still because its client takes nothing, in milliseconds. */
export const DOWNLOAD_IDLE_TIMEOUT = Symbol('DOWNLOAD_IDLE_TIMEOUT');

/** The response of Express, which is that of Node, or the reply of Fastify. */
export type PlatformResponse = ServerResponse | { raw: ServerResponse };

/**
 * Watches a response that sends content: ends it where the client takes nothing within `timeout`, so that content and
 * its handle are not kept for a client that does not read. Time in which the storage gives nothing does not count.
 *
 * Node's timer of the connection is used, because nothing else tells of a piece of content that leaves bit by bit. It
 * runs once more where anything has left, so that the end may come after twice the time.
 */
export function watchDeparture(platformResponse: PlatformResponse, timeout: number): void {
  const response = rawResponse(platformResponse);
  const { socket } = response;
  if (timeout === Infinity || response.destroyed || !hasTimer(socket)) return;
  const before = socket?.timeout ?? 0;
  // A callback of `setTimeout()` would be called once on HTTP/2, also if the storage is what is slow then.
  response.on('timeout', () => {
    if (response.writableLength > 0) breakOff(response);
  });
  response.setTimeout(timeout);
  // Before Node decides how long the connection is kept.
  response.prependOnceListener('finish', () => response.setTimeout(before));
}

/** Breaks a response off, where `content` fails after its head was sent. Before that, the platform answers. */
export function watchContent(content: Readable, platformResponse: PlatformResponse): void {
  const response = rawResponse(platformResponse);
  content.once('error', () => {
    if (response.headersSent) breakOff(response);
  });
}

/**
 * Ends a response so that its client can tell that it is not whole. On HTTP/2, Node closes a stream that is destroyed
 * without an error as if it were.
 */
function breakOff(response: ServerResponse): void {
  response.destroy('stream' in response ? new Error('The download was broken off') : undefined);
}

function rawResponse(response: PlatformResponse): ServerResponse {
  return 'raw' in response ? response.raw : response;
}

/**
 * Whether there is a timer, as on all real connections. A response has none yet where its request came before the one
 * before was answered; where requests come without a server, as on some platforms of functions, it has a part of one;
 * a stream of HTTP/2 that its client has cancelled has none any more.
 */
function hasTimer(socket: Partial<Socket> | null | undefined): boolean {
  return socket === null || typeof socket?.setTimeout === 'function';
}
