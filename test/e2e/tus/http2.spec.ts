import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { OutgoingHttpHeaders } from 'node:http2';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../../support/http-app.js';

// A busy machine takes its time.
const SOON = { timeout: 30_000 };
const BYTES = randomBytes(2_000_000);

/** An application that speaks HTTP/2, and a client on one connection to it. */
async function start() {
  const { url } = await startApp({ adapter: new FastifyAdapter({ http2: true } as never) });
  const session = connect(url);
  onTestFinished(() => new Promise<void>((resolve) => session.close(resolve)));
  const open = (method: string, path: string, headers: OutgoingHttpHeaders = {}) =>
    session.request({ ':method': method, ':path': path, 'x-user': 'ada', 'tus-resumable': '1.0.0', ...headers });
  const send = async (method: string, path: string, headers?: OutgoingHttpHeaders, body?: Buffer) => {
    const stream = open(method, path, headers);
    stream.end(body);
    const [answer] = (await once(stream, 'response')) as [Record<string, string | undefined>];
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return { headers: answer, status: Number(answer[':status']), body: Buffer.concat(chunks) };
  };
  return { open, send };
}

it('makes a file of an upload that comes by HTTP/2, also where a request was cut off', async () => {
  const { open, send } = await start();
  const { status, headers } = await send('POST', '/files/tus', { 'upload-length': BYTES.length });
  expect(status).toBe(201);
  const { location = '' } = headers;
  const type = { 'content-type': 'application/offset+octet-stream' };
  const cut = open('PATCH', location, { ...type, 'upload-offset': 0 });
  cut.on('error', () => {});
  cut.write(BYTES.subarray(0, 500_000));
  const offset = async () => Number((await send('HEAD', location)).headers['upload-offset']);
  await expect.poll(offset, SOON).toBe(500_000);
  cut.destroy();
  // Until the server knows.
  const rest = BYTES.subarray(500_000);
  const go = async () => (await send('PATCH', location, { ...type, 'upload-offset': 500_000 }, rest)).status;
  await expect.poll(go, SOON).toBe(204);
  const id = location.split('/').at(-1) ?? '';
  expect((await send('HEAD', location)).headers['file-id']).toBe(id);
  expect((await send('GET', `/files/${id}/content`)).body.equals(BYTES)).toBe(true);
});

it('makes one file of the same request by HTTP/2, where it comes twice at once', async () => {
  const { send } = await start();
  const { headers } = await send('POST', '/files/tus', { 'upload-length': BYTES.length });
  const { location = '' } = headers;
  const append = { 'content-type': 'application/offset+octet-stream', 'upload-offset': 0 };
  const both = await Promise.all([1, 2].map(() => send('PATCH', location, append, BYTES)));
  const [done, other] = both.map(({ status }) => status).sort((a, b) => a - b);
  expect(done).toBe(204);
  expect([409, 423]).toContain(other);
  const id = location.split('/').at(-1) ?? '';
  expect((await send('GET', `/files/${id}/content`)).body.equals(BYTES)).toBe(true);
});
