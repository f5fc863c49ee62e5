import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import type { HttpApp } from './http-app.js';

export const BOUNDARY = 'x-boundary-x';

/** One part of a form, as it goes over the wire. */
export function part(disposition: string, content: string, ...headers: string[]): string {
  const lines = [`--${BOUNDARY}`, `Content-Disposition: form-data; ${disposition}`, ...headers, '', content, ''];
  return lines.join('\r\n');
}

/** A form of the parts, complete. */
export function form(...parts: string[]): string {
  return `${parts.join('')}--${BOUNDARY}--\r\n`;
}

export const FILE_PART = part('name="file"; filename="a.txt"', 'hello', 'Content-Type: text/plain');

export interface RawAnswer {
  status: number;
  body: { code?: string; message?: string; id?: string };
}

/** Opens an upload of the user `anna` and leaves it to the caller to write the body. */
export function openUpload(
  app: Pick<HttpApp, 'port'>,
  headers: RequestOptions['headers'] = {},
  agent?: Agent,
  path = '/files',
  method = 'POST',
): ClientRequest {
  return request({
    host: '127.0.0.1',
    port: app.port,
    path,
    method,
    agent: agent ?? new Agent({ keepAlive: false }),
    headers: { 'x-user': 'anna', 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers },
  });
}

/** What was answered to a request. */
export async function answerTo(sent: ClientRequest): Promise<RawAnswer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', reject);
  });
  return { status: response.statusCode ?? 0, body: JSON.parse(await text(response)) as RawAnswer['body'] };
}

/** Sends a whole body. */
export function post(
  app: HttpApp,
  body: string | Buffer,
  headers: RequestOptions['headers'] = {},
  path?: string,
): Promise<RawAnswer> {
  const sent = openUpload(app, headers, undefined, path);
  const answer = answerTo(sent);
  sent.end(body);
  return answer;
}
