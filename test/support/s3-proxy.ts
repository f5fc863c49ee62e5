import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { s3Config } from './s3-server.js';

/**
 * What becomes of a request: an answer of S3's with this status; the connection breaks `before` the server has the
 * request, when its `reply` is on the way, or after so many bytes of the reply's body; or the server gets the request
 * once `until` resolves; or it has `answered`, and nobody hears of it.
 */
export type S3Fate =
  | { status: number; code: string }
  | { cut: 'before' | 'reply' | number }
  | { until: Promise<unknown> }
  | { answered: () => void };

/** What the proxy saw of a request: `PUT /bucket/key?partNumber=1`, without signatures. */
export interface S3Request {
  text: string;
  headers: IncomingMessage['headers'];
}

/** A proxy before the S3 server, which decides what becomes of each request; it ends with the test. */
export interface S3Proxy {
  readonly endpoint: string;
  readonly requests: readonly S3Request[];
  /** Connections that are open, from clients. */
  readonly connections: number;
  /** Nothing said: the request goes through. */
  decide: (request: S3Request) => S3Fate | undefined;
}

export async function s3Proxy(decide: S3Proxy['decide'] = () => undefined): Promise<S3Proxy> {
  const target = new URL(s3Config().endpoint);
  const sockets = new Set<Socket>();
  const requests: S3Request[] = [];
  const server = createServer((asked, answer) => {
    const seen = {
      text: `${asked.method} ${asked.url}`.replaceAll(/[?&](?:x-id|X-Amz-)[^&]*/g, ''),
      headers: asked.headers,
    };
    requests.push(seen);
    const fate = proxy.decide(seen);
    const broken = fate && 'cut' in fate ? fate.cut : undefined;
    if (broken === 'before') return void asked.socket.destroy();
    if (fate && 'status' in fate) {
      // Read to its end: a client that is still sending would see a broken connection.
      asked.resume().once('end', () => {
        answer.writeHead(fate.status, { 'content-type': 'application/xml' });
        const error = `<Error><Code>${fate.code}</Code><Message>as the test says</Message></Error>`;
        answer.end(asked.method === 'HEAD' || fate.status === 200 ? '' : error);
      });
      return;
    }
    const forward = (): void => {
      const { hostname, port } = target;
      const sent = request({ hostname, port, method: asked.method, path: asked.url, headers: asked.headers });
      sent.on('error', () => asked.socket.destroy());
      sent.on('response', (reply) => {
        if (fate && 'answered' in fate) return void reply.resume().once('end', fate.answered);
        if (broken === 'reply') return void reply.resume().once('end', () => asked.socket.destroy());
        answer.writeHead(reply.statusCode ?? 500, reply.rawHeaders);
        let left = typeof broken === 'number' ? broken : Number.POSITIVE_INFINITY;
        reply.on('data', (chunk: Buffer) => {
          if (!answer.write(chunk.subarray(0, left))) {
            reply.pause();
            answer.once('drain', () => reply.resume());
          }
          left -= chunk.length;
          if (left <= 0) asked.socket.end();
        });
        reply.once('end', () => answer.end());
        answer.once('close', () => reply.destroy());
      });
      asked.pipe(sent);
    };
    if (fate && 'until' in fate) void fate.until.then(forward);
    else forward();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get connections() {
      return sockets.size;
    },
    decide,
  };
  return proxy;
}

/** A server that has no conditional writes, as those of small providers. */
export const withoutConditions: S3Proxy['decide'] = ({ headers }) =>
  headers['if-none-match'] === undefined ? undefined : { status: 501, code: 'NotImplemented' };
