import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { actionApp } from '../../support/action-app.js';
import { PLATFORMS, formWith, startApp, uploadFile } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';
import { startHttp2 } from '../../support/http2-client.js';
import { answerTo, BOUNDARY, FILE_PART, form, openUpload, part, post } from '../../support/http-raw.js';
import { hasNginx, nginxBefore } from '../../support/nginx.js';

const HUGE = 'x'.repeat(8 * 1024 * 1024);
const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const OCTETS = 'application/octet-stream';

interface Refused {
  method: string;
  path: string;
  contentType: string;
  body: string;
  status: number;
  user?: string | null;
}

/** Uploads that are refused before all of them is read. */
async function refusals(platform: Platform): Promise<{ port: number; all: [string, Refused][] }> {
  const storages = { default: memoryStorage({ maxSize: 1000 }) };
  const app = await actionApp({ platform, options: { storages } });
  const { id } = await uploadFile(app, 'anna', formWith('x'));
  const file = part('name="file"; filename="a.txt"', HUGE);
  const upload = { method: 'POST', path: '/files', contentType: FORM, body: form(file), status: 413 };
  return {
    port: app.port,
    all: [
      ['a file that is too large', upload],
      ['a file in the wrong field', { ...upload, body: form(part('name="other"; filename="a"', HUGE)), status: 400 }],
      ['a field that is too long', { ...upload, body: form(part('name="a"', HUGE), file) }],
      ['no form', { ...upload, contentType: OCTETS, body: HUGE, status: 415 }],
      ['an upload of nobody', { ...upload, user: null, status: 401 }],
      ['new content', { ...upload, method: 'PUT', path: `/files/${id}/content`, contentType: OCTETS, body: HUGE }],
      [
        'new content of a file of somebody else',
        { method: 'PUT', path: `/files/${id}/content`, contentType: OCTETS, body: HUGE, status: 404, user: 'ben' },
      ],
      [
        'a form of an action',
        { ...upload, path: '/galleries', body: form(part('name="coverId"; filename="a.txt"', HUGE)) },
      ],
    ],
  };
}

/** Writes all of the request, then reads the answer. */
async function writeThenRead(port: number, version: string, refused: Refused, ...headers: string[]): Promise<string> {
  const { method, path, contentType, body, user = 'anna' } = refused;
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  await once(socket, 'connect');
  const own = ['Host: x', `Content-Type: ${contentType}`, `Content-Length: ${body.length}`];
  if (user !== null) own.push(`x-user: ${user}`);
  const lines = [`${method} ${path} HTTP/${version}`, ...own, ...headers, '', body];
  await new Promise<void>((resolve, reject) =>
    socket.write(lines.join('\r\n'), (error) => (error ? reject(error) : resolve())),
  );
  return text(socket);
}

describe.each(PLATFORMS)('the answer on %s', { timeout: 60_000 }, (platform) => {
  it.each<[string, string, string[]]>([
    ['of HTTP/1.0', '1.0', []],
    ['that is to be closed', '1.1', ['Connection: close']],
  ])('arrives for a refused upload on a connection %s', async (_, version, headers) => {
    const { port, all } = await refusals(platform);
    for (const [name, refused] of all) {
      const answer = await writeThenRead(port, version, refused, ...headers);
      expect([name, /^HTTP\/1.1 (\d+)/.exec(answer)?.[1]]).toEqual([name, String(refused.status)]);
    }
  });

  it('comes soon where the client has stopped sending, and waits for it', async () => {
    const { port } = await refusals(platform);
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    const headers = ['Host: x', `Content-Type: ${OCTETS}`, 'Content-Length: 1000000', 'Connection: close'];
    const begun = performance.now();
    socket.write(['POST /files HTTP/1.1', ...headers, '', 'the beginning'].join('\r\n'));
    expect(await text(socket)).toMatch(/^HTTP\/1.1 415/);
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it('ends a connection on which more comes than is read for it', async () => {
    const { port } = await refusals(platform);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    const headers = ['Host: x', `Content-Type: ${OCTETS}`, 'Content-Length: 1000000000', 'Connection: close'];
    socket.write(['POST /files HTTP/1.1', ...headers, '', ''].join('\r\n'));
    const chunk = Buffer.alloc(1024 * 1024);
    let written = 0;
    const more = (): void => {
      while (!socket.destroyed && written++ < 500 && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(written).toBeGreaterThan(20);
    expect(written).toBeLessThan(100);
  });
});

it('ends the stream of HTTP/2 alone on which more comes than is read for a refused upload', async () => {
  const { open, send } = await startHttp2();
  const stream = open('POST', '/files', { 'content-type': OCTETS });
  const [answered, closed] = [once(stream, 'response'), new Promise((resolve) => stream.once('close', resolve))];
  const chunk = Buffer.alloc(1024 * 1024);
  let written = 0;
  const more = (): void => {
    while (!stream.closed && written++ < 500 && stream.write(chunk));
  };
  stream.on('drain', more).on('error', () => {});
  more();
  const [head] = (await answered) as [IncomingHttpHeaders];
  expect(head[':status']).toBe(415);
  expect(JSON.parse(await text(stream))).toMatchObject({ code: 'FILES_MULTIPART_EXPECTED' });
  await closed;
  expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  expect(written).toBeGreaterThan(20);
  expect(written).toBeLessThan(100);
  expect((await send('GET', '/files')).status).toBe(200);
});

const KIB = 1024;
const MIB = 1024 * KIB;
const NAMELESS = `--${BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n`;

// A client may send such bytes for as long as it likes, before anybody asks who it is.
describe.each(PLATFORMS)('the bytes of a form that are not of files, on %s', (platform) => {
  it.each([
    ['before the first part', '/files', 2 * MIB, ''],
    ['in a part without a name', '/files', 2 * MIB, NAMELESS],
    ['after the last part', '/files', 2 * MIB, form(FILE_PART)],
    ['before the first part', '/galleries', 6 * MIB, ''],
  ])('are refused with 413 where there are too many %s, to %s', async (_, path, size, begin) => {
    const app = await actionApp({ platform, options: { http: { uploadIdleTimeout: 10_000 } } });
    const user = begin.includes('filename') ? 'anna' : [];
    const sent = openUpload(app, { 'x-user': user }, undefined, path);
    const answer = answerTo(sent);
    sent.write(begin + 'x'.repeat(size));
    expect(await answer).toMatchObject({ status: 413, body: { code: 'FILES_UPLOAD_LIMIT_EXCEEDED' } });
    sent.on('error', () => {}).destroy();
    expect(await (await app.fetch('/files', { user: 'anna' })).json()).toMatchObject({ count: 0 });
  });

  it('may be as many as all fields that are allowed, with files of any size', async () => {
    const app = await startApp({ platform });
    const fields = Array.from({ length: 20 }, (_, at) => part(`name="field${at}"`, 'x'.repeat(8 * KIB)));
    const files = ['a', 'b', 'c'].map((name) => part(`name="file"; filename="${name}.txt"`, name.repeat(2 * MIB)));
    const body = form(...fields, ...files);
    const digest = createHash('sha256').update(body).digest('base64');
    for (const headers of [{}, { 'Content-Digest': `sha-256=:${digest}:` }])
      expect(await post(app, body, headers, '/files?multiple=true')).toMatchObject({ status: 201 });
    expect(await app.stored()).toHaveLength(6);
  });
});

describe.skipIf(!hasNginx()).each(PLATFORMS)('behind nginx on %s', (platform) => {
  it.each([
    ['as it comes', []],
    ['that buffers no requests', ['proxy_request_buffering off']],
    ['that keeps connections', ['proxy_http_version 1.1', 'proxy_set_header Connection ""']],
  ])(
    'passes the answer to each refused upload through nginx %s',
    async (_, directives) => {
      const { port, all } = await refusals(platform);
      const url = await nginxBefore(port, directives);
      for (const [name, { path, status, contentType, user = 'anna', ...init }] of all) {
        const headers = { 'content-type': contentType, ...(user !== null && { 'x-user': user }) };
        const send = async () => (await fetch(new URL(path, url), { ...init, headers })).status;
        const statuses = await Promise.all([send(), send(), send()]);
        expect([name, ...statuses]).toEqual([name, status, status, status]);
      }
    },
    60_000,
  );

  it('takes and gives files', async () => {
    const app = await startApp({ platform });
    const url = await nginxBefore(app.port);
    const headers = { 'x-user': 'anna' };
    const made = await fetch(new URL('/files', url), { method: 'POST', headers, body: formWith(HUGE) });
    expect(made.status).toBe(201);
    const { id } = (await made.json()) as { id: string };
    expect(await (await fetch(new URL(`/files/${id}/content`, url), { headers })).text()).toBe(HUGE);
  });
});
