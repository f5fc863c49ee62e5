import { once } from 'node:events';
import { Agent } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { UploadAbortedError } from 'nestjs-files/errors';
import { FilesService } from '../../../lib/index.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { gate } from '../../support/gate.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { answerTo, BOUNDARY, FILE_PART, form, openUpload, part, post } from '../../support/http-raw.js';

const field = (name: string, value = 'x') => part(`name="${name}"`, value);
const repeat = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index));

async function expectNothing(app: HttpApp): Promise<void> {
  const left = async () => [await app.stored(), await app.dataSource.getRepository(ManagedFile).count()];
  await expect.poll(left).toEqual([[], 0]);
}

/** What a wrong form is answered with, and how it looks. */
const WRONG: [string, number, string, string, string?][] = [
  ['JSON', 415, 'FILES_MULTIPART_EXPECTED', '{"file":"x"}', 'application/json'],
  ['a plain body', 415, 'FILES_MULTIPART_EXPECTED', 'hello', 'application/octet-stream'],
  ['a URL encoded form', 415, 'FILES_MULTIPART_EXPECTED', 'file=x', 'application/x-www-form-urlencoded'],
  [
    'another kind of multipart',
    415,
    'FILES_MULTIPART_EXPECTED',
    form(FILE_PART),
    `multipart/mixed; boundary=${BOUNDARY}`,
  ],
  ['no boundary', 400, 'FILES_UPLOAD_MALFORMED', form(FILE_PART), 'multipart/form-data'],
  ['another boundary', 400, 'FILES_UPLOAD_MALFORMED', form(FILE_PART), 'multipart/form-data; boundary=other'],
  ['an empty body', 400, 'FILES_UPLOAD_MALFORMED', ''],
  ['no part', 400, 'FILES_UPLOAD_MALFORMED', form()],
  ['no file', 400, 'FILES_UPLOAD_MALFORMED', form(field('storage', 'default'))],
  ['a text in the field of the file', 400, 'FILES_UPLOAD_MALFORMED', form(field('file'))],
  ['the file in another field', 400, 'FILES_UPLOAD_MALFORMED', form(part('name="upload"; filename="a.txt"', 'hello'))],
  ['a file without a field', 400, 'FILES_UPLOAD_MALFORMED', form(part('filename="a.txt"', 'hello'))],
  ['a text without a name', 400, 'FILES_UPLOAD_MALFORMED', form(part('name="file"; filename=""', ''))],
  [
    'an unnamed binary',
    400,
    'FILES_FILE_NAME_INVALID',
    form(part('name="file"', 'x', 'Content-Type: application/octet-stream')),
  ],
  ['a body cut off within the file', 400, 'FILES_UPLOAD_MALFORMED', FILE_PART.slice(0, -4)],
  ['a body cut off after the file', 400, 'FILES_UPLOAD_MALFORMED', FILE_PART],
  ['a body cut off within a header', 400, 'FILES_UPLOAD_MALFORMED', FILE_PART.slice(0, 60)],
  [
    'a broken header after the file',
    400,
    'FILES_UPLOAD_MALFORMED',
    form(FILE_PART, `--${BOUNDARY}\r\nno colon\r\n\r\nx\r\n`),
  ],
  ['an endless header', 400, 'FILES_UPLOAD_MALFORMED', form(part(`name="${'x'.repeat(200_000)}"`, 'x'), FILE_PART)],
  ['the storage after the file', 400, 'FILES_UPLOAD_MALFORMED', form(FILE_PART, field('storage', 'default'))],
  ['the storage between files', 400, 'FILES_UPLOAD_MALFORMED', form(FILE_PART, field('storage', 'default'), FILE_PART)],
  ['many files', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', form(...repeat(21, () => FILE_PART))],
  [
    'several files, the last without a name',
    400,
    'FILES_FILE_NAME_INVALID',
    form(FILE_PART, FILE_PART, part('name="file"', 'x', 'Content-Type: application/octet-stream')),
  ],
  ['several files, the last cut off', 400, 'FILES_UPLOAD_MALFORMED', FILE_PART + FILE_PART + FILE_PART.slice(0, -4)],
  [
    'a second file in another field',
    400,
    'FILES_UPLOAD_MALFORMED',
    form(FILE_PART, part('name="b"; filename="b"', 'x')),
  ],
  ['many fields', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', form(...repeat(21, (index) => field(`f${index}`)), FILE_PART)],
  [
    'many fields after the file',
    413,
    'FILES_UPLOAD_LIMIT_EXCEEDED',
    form(FILE_PART, ...repeat(21, (index) => field(`f${index}`))),
  ],
  [
    'many parts without a name',
    413,
    'FILES_UPLOAD_LIMIT_EXCEEDED',
    form(...repeat(10_000, () => `--${BOUNDARY}\r\nX-A: b\r\n\r\nx\r\n`)),
  ],
  ['a long field', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', form(field('storage', 'x'.repeat(100_000)), FILE_PART)],
];

describe.each(PLATFORMS)('uploads on %s', (platform) => {
  it.each(WRONG)('refuses %s and keeps nothing', async (_, status, code, body, contentType) => {
    const app = await startApp({ platform });
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    const answer = await post(app, body, headers, '/files?multiple=true');
    expect(answer).toMatchObject({ status, body: { statusCode: status, code } });
    await expectNothing(app);
  });

  it.each([
    ['8192 letters', 'x'.repeat(8192), 201],
    ['8192 bytes of other letters', 'ä'.repeat(4096), 201],
    ['8193 letters', 'x'.repeat(8193), 413],
    ['8193 bytes of other letters', `${'ä'.repeat(4096)}x`, 413],
  ])('takes fields of up to 8 KiB: one of %s', async (_, value, status) => {
    const app = await startApp({ platform });
    expect(await post(app, form(field('a', value), FILE_PART))).toMatchObject({ status });
  });

  it('takes as many fields and files as it says', async () => {
    const app = await startApp({ platform });
    const body = form(...repeat(20, (index) => field(`f${index}`)), ...repeat(20, () => FILE_PART));
    expect((await post(app, body, {}, '/files?multiple=true')).status).toBe(201);
    expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(20);
  });

  it('takes a file between other fields, in any number of pieces', async () => {
    const app = await startApp({ platform });
    const body = Buffer.from(form(field('a'), field('storage', 'default'), FILE_PART, field('b')));
    const sent = openUpload(app);
    const answer = answerTo(sent);
    for (const byte of body) sent.write(Buffer.of(byte));
    sent.end();
    expect(await answer).toMatchObject({ status: 201, body: { name: 'a.txt', size: 5, storage: 'default' } });
  });

  it.each([
    ['directories', '../../etc/passwd', 'passwd'],
    ['a drive', 'C:\\\\temp\\\\a.txt', 'a.txt'],
    ['a quote', 'a%22b.txt', 'a"b.txt'],
    ['other scripts', 'документ 日本語.pdf', 'документ 日本語.pdf'],
  ])('keeps a name with %s as it can be kept', async (_, filename, name) => {
    const app = await startApp({ platform });
    const answer = await post(app, form(part(`name="file"; filename="${filename}"`, 'hello')));
    expect(answer).toMatchObject({ status: 201, body: { name } });
  });

  it.each([
    ['while the file arrives', FILE_PART.slice(0, -6)],
    ['after the file, before the end of the form', FILE_PART],
  ])('keeps nothing of a client that goes away %s', async (_, written) => {
    const app = await startApp({ platform });
    const sent = openUpload(app, { 'content-length': '1000000' });
    sent.on('error', () => {});
    sent.write(written + 'x'.repeat(200_000));
    await expect.poll(() => app.stored()).toHaveLength(1);
    sent.destroy();
    await expectNothing(app);
  });

  it('keeps nothing of a client that goes away after the file, though its bytes are all there', async () => {
    const app = await startApp({ platform });
    const sent = openUpload(app, { 'content-length': '1000000' });
    sent.on('error', () => {});
    sent.write(FILE_PART + `--${BOUNDARY}\r\nContent-Dispo`);
    await delay(100);
    sent.destroy();
    await delay(100);
    await expectNothing(app);
  });

  it('leaves the old content where the client goes away after the last byte, which the storage waits with', async () => {
    const app = await startApp({ platform });
    const files = app.app.get(FilesService);
    const { id, hash } = await files.create(Buffer.from('before'), {
      name: 'a.txt',
      owner: { type: 'user', id: 'ada' },
    });
    const [asked, given] = [gate(), gate()];
    const replaced = vi.spyOn(files, 'replace').mockImplementationOnce(async (...args) => {
      asked.open();
      await given.opened;
      return files.replace(...args);
    });
    const arrival = once(app.app.getHttpServer() as Server, 'request') as Promise<[IncomingMessage]>;
    const sent = openUpload(
      app,
      { 'x-user': 'ada', 'content-type': 'application/octet-stream' },
      undefined,
      `/files/${id}/content`,
      'PUT',
    );
    sent.on('error', () => {}).end('x'.repeat(60_000));
    const [request] = await arrival;
    await asked.opened;
    await expect.poll(() => request.complete, { interval: 1 }).toBe(true);
    const closed = new Promise((resolve) => request.once('close', resolve));
    sent.destroy();
    await closed;
    given.open();
    await expect(replaced.mock.results[0]?.value).rejects.toThrow(UploadAbortedError);
    expect(await files.findOrFail(id)).toMatchObject({ hash });
    expect(await app.stored()).toHaveLength(1);
    expect(await app.dataSource.getRepository(FileIntent).count()).toBe(0);
  });

  it('answers a refused upload at once, while the client is still sending', async () => {
    const app = await startApp({ platform, options: { storages: { default: memoryStorage({ maxSize: '1MiB' }) } } });
    const sent = openUpload(app, { 'content-length': String(20 * 1024 * 1024) });
    sent.on('error', () => {});
    const answer = answerTo(sent);
    sent.write(part('name="file"; filename="a"', 'x'.repeat(2 * 1024 * 1024)));
    expect(await answer).toMatchObject({ status: 413, body: { code: 'FILES_FILE_TOO_LARGE' } });
    sent.destroy();
  });

  it.each([
    ['a form', 'POST', ''],
    ['new content', 'PUT', '/content'],
  ])('writes nothing that is over the limit of its storage, of %s', async (_, method, path) => {
    const limit = 1024 * 1024;
    const storage = memoryStorage({ maxSize: limit });
    const app = await startApp({ platform, options: { storages: { default: storage } } });
    const { id } = await uploadFile(app, 'anna', formWith('x'));
    let written = 0;
    const write = storage.write.bind(storage);
    vi.spyOn(storage, 'write').mockImplementation(async (location, content) => {
      async function* counted() {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          written += chunk.length;
          yield chunk;
        }
      }
      await write(location, Readable.from(counted()));
    });
    const body = method === 'POST' ? formWith('x'.repeat(20 * limit)) : 'x'.repeat(20 * limit);
    const response = await app.fetch(`/files${method === 'POST' ? '' : `/${id}${path}`}`, {
      method,
      user: 'anna',
      body,
    });
    expect([response.status, await response.json()]).toMatchObject([413, { code: 'FILES_FILE_TOO_LARGE' }]);
    expect(written).toBeGreaterThan(limit / 2);
    expect(written).toBeLessThanOrEqual(limit);
    expect(await app.dataSource.getRepository(ManagedFile).find()).toMatchObject([{ id, size: 1 }]);
  });

  it('keeps the connection usable after a refusal, also for a client that reads late', async () => {
    const app = await startApp({ platform, options: { storages: { default: memoryStorage({ maxSize: 10 }) } } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const body = Buffer.from(form(part('name="file"; filename="a"', 'x'.repeat(8 * 1024 * 1024))));
    const ports: (number | undefined)[] = [];
    for (const expected of [413, 413, 201]) {
      const sent = openUpload(app, {}, agent);
      const answer = answerTo(sent);
      sent.once('socket', (socket) => ports.push(socket.localPort ?? 0));
      sent.write(expected === 201 ? Buffer.from(form(FILE_PART)) : body);
      sent.end();
      expect((await answer).status).toBe(expected);
      await delay(20);
    }
    agent.destroy();
    expect(ports[1]).toBe(ports[2]);
  });

  it('cuts off a client that goes on sending for ever', async () => {
    const app = await startApp({ platform });
    const socket = connect(app.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('POST /files HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 1000000000\r\n\r\n');
    const chunk = Buffer.alloc(1024 * 1024);
    let written = 0;
    const more = (): void => {
      while (!socket.destroyed && written++ < 500 && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
    await closed;
    expect(written).toBeGreaterThan(20);
    expect(written).toBeLessThan(100);
  });

  it('holds no transaction while bytes flow', async () => {
    const app = await startApp({ platform });
    const slow = openUpload(app);
    const answer = answerTo(slow);
    slow.write(part('name="file"; filename="slow.txt"', 'x'.repeat(200_000)).slice(0, -4));
    await expect.poll(() => app.stored()).toHaveLength(1);
    await uploadFile(app, 'ben', formWith('quick'));
    await app.dataSource.transaction((manager) => manager.getRepository(ManagedFile).count());
    slow.end(`\r\n--${BOUNDARY}--\r\n`);
    expect((await answer).status).toBe(201);
    expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(2);
  });

  it('stores many uploads at once, each with its own bytes', async () => {
    const app = await startApp({ platform });
    const files = await Promise.all(
      repeat(20, String).map((_, index) => uploadFile(app, 'anna', formWith(`content ${index}`.repeat(20_000)))),
    );
    const contents = await Promise.all(
      files.map(async ({ id }) => (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()),
    );
    expect(contents).toEqual(repeat(20, (index) => `content ${index}`.repeat(20_000)));
  });
});
