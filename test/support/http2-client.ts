import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { onTestFinished } from 'vitest';
import type { FilesModuleOptions } from '../../lib/files.options.js';
import { startApp } from './http-app.js';
import type { HttpApp } from './http-app.js';

export interface Http2Answer {
  headers: Record<string, string | undefined>;
  status: number;
  body: Buffer;
}

export interface Http2App {
  app: HttpApp;
  session: ClientHttp2Session;
  /** Begins a request of `ada`, whose body the test sends. */
  open(method: string, path: string, headers?: OutgoingHttpHeaders): ClientHttp2Stream;
  /** Sends a request of `ada`, and reads the answer to its end. */
  send(method: string, path: string, headers?: OutgoingHttpHeaders, body?: Buffer): Promise<Http2Answer>;
}

/** An application that speaks HTTP/2, and a client on one connection to it. */
export async function startHttp2(options: Partial<FilesModuleOptions> = {}): Promise<Http2App> {
  const app = await startApp({ options, adapter: new FastifyAdapter({ http2: true } as never) });
  const session = connect(app.url);
  onTestFinished(() => session.destroy());
  const open: Http2App['open'] = (method, path, headers = {}) =>
    session.request({ ':method': method, ':path': path, 'x-user': 'ada', ...headers });
  const send: Http2App['send'] = async (method, path, headers, body) => {
    const stream = open(method, path, headers);
    stream.end(body);
    const [answer] = (await once(stream, 'response')) as [Http2Answer['headers']];
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return { headers: answer, status: Number(answer[':status']), body: Buffer.concat(chunks) };
  };
  return { app, session, open, send };
}
