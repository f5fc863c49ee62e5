import { once } from 'node:events';
import { request as open } from 'node:http';
import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import { setTimeout as pass } from 'node:timers/promises';
import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { FilesModule, FilesService, UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { BOUNDARY } from '../../support/http-raw.js';
import { byHeader, PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';

class NoteDto {
  @UploadAs('note') file!: string;
}
@Controller()
class Notes {
  @Post('notes') @WithTaskQueue() create(@Body() { file }: NoteDto) {
    return { id: 1, file };
  }
  @Post('plain') plain(@Body() body: object) {
    return body;
  }
}

const REQUEST_TIMEOUT = 300;

/** An application in which the time of requests is short while bytes of an upload arrive, and only then. */
async function slowApp(platform: Platform, uploadIdleTimeout: number, delay = 0) {
  const storage = memoryStorage();
  const write = storage.write.bind(storage);
  let server: Server | undefined;
  storage.write = async (...args) => {
    Object.assign(server!, { requestTimeout: REQUEST_TIMEOUT });
    try {
      await pass(delay);
      await write(...args);
    } finally {
      Object.assign(server!, { requestTimeout: 0 });
    }
  };
  return startApp({
    platform,
    module: FilesModule.forRoot({
      storages: { default: storage },
      actor: byHeader,
      uploads: 'authenticated',
      http: { uploadIdleTimeout },
    }),
    controllers: [Notes],
    prepare: (nest) => {
      nest.useGlobalPipes(new ValidationPipe());
      server = nest.getHttpServer() as Server;
      Object.assign(server, { requestTimeout: 0, headersTimeout: 0, connectionsCheckingInterval: 20 });
    },
  });
}

function send({ port }: HttpApp, method: string, path: string, contentType: string, more = {}): ClientRequest {
  const headers = { 'x-user': 'ada', 'content-type': contentType, ...more };
  const sent = open({ host: '127.0.0.1', port, method, path, headers, agent: false });
  sent.on('error', () => undefined);
  return sent;
}

/** Opens a form with a file, of which the head is sent. */
function openForm(app: HttpApp, path = '/files'): ClientRequest {
  const sent = send(app, 'POST', path, `multipart/form-data; boundary=${BOUNDARY}`);
  sent.write(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\n`,
  );
  return sent;
}
const END = `\r\n--${BOUNDARY}--\r\n`;

async function answerTo(sent: ClientRequest): Promise<{ status: number | undefined; code: unknown }> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks = (await response.toArray()) as Buffer[];
  const text = Buffer.concat(chunks).toString();
  return {
    status: response.statusCode,
    code: text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined,
  };
}

/** Sends so many bytes, again and again, until an answer is there or the time is over. */
async function drip(sent: ClientRequest, bytes: number, milliseconds: number): Promise<void> {
  let isAnswered = false;
  sent.once('response', () => (isAnswered = true));
  const until = performance.now() + milliseconds;
  while (!isAnswered && performance.now() < until) {
    sent.write('x'.repeat(bytes));
    await pass(40);
  }
}

/** Runs the work on all platforms at once. */
async function onEachPlatform(work: (platform: Platform) => Promise<void>): Promise<void> {
  await Promise.all(PLATFORMS.map(work));
}

// These tests wait for time to pass, so both platforms wait together.
describe('a slow upload', () => {
  it.each(['/files', '/notes'])('may take any time while it makes progress, to %s', (path) =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 2_000);
      const sent = openForm(app, path);
      const answer = answerTo(sent);
      await drip(sent, 1024, 4 * REQUEST_TIMEOUT);
      sent.end(END);
      expect((await answer).status).toBe(201);
    }),
  );

  it.each([
    ['/files', 0],
    ['/files', 1],
    ['/notes', 0],
  ])('is ended when it stands still, to %s, sending %i bytes now and then', (path, bytes) =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 250);
      const sent = openForm(app, path);
      const answer = answerTo(sent);
      sent.write('x'.repeat(2048));
      await drip(sent, bytes, Infinity);
      expect(await answer).toEqual({ status: 408, code: 'FILES_UPLOAD_IDLE' });
      sent.destroy();
      expect(await (await app.fetch('/files', { user: 'ada' })).json()).toMatchObject({ count: 0 });
    }),
  );

  it('is ended when it goes on from where it stopped by a byte now and then', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 250);
      const tus = { 'tus-resumable': '1.0.0' };
      const headers = { ...tus, 'upload-length': '100000' };
      const { headers: begun } = await app.fetch('/files/tus', { method: 'POST', user: 'ada', headers });
      const path = begun.get('location') ?? '';
      const sent = send(app, 'PATCH', path, 'application/offset+octet-stream', { ...tus, 'upload-offset': 0 });
      const answer = answerTo(sent);
      await drip(sent, 1, Infinity);
      expect(await answer).toEqual({ status: 408, code: 'FILES_UPLOAD_IDLE' });
      sent.destroy();
    }));

  it('is ended, and leaves the old content, when it replaces content', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 250);
      const owner = { type: 'user', id: 'ada' };
      const { id } = await app.app.get(FilesService).create(Buffer.from('before'), { name: 'a.txt', owner });
      const sent = send(app, 'PUT', `/files/${id}/content`, 'application/octet-stream');
      sent.write('after');
      expect(await answerTo(sent)).toEqual({ status: 408, code: 'FILES_UPLOAD_IDLE' });
      sent.destroy();
      expect(await (await app.fetch(`/files/${id}/content`, { user: 'ada' })).text()).toBe('before');
    }));

  it('is not ended while the storage holds it back', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 700, 1_000);
      const sent = openForm(app);
      const answer = answerTo(sent);
      sent.write(Buffer.alloc(8 * 1024 * 1024, 'x'));
      sent.end(END);
      expect((await answer).status).toBe(201);
    }));

  it('leaves the request timeout of other routes alone', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 5_000);
      const upload = openForm(app);
      const uploaded = answerTo(upload);
      const other = send(app, 'POST', '/plain', 'application/json');
      other.write('{"a":');
      const [answered] = await Promise.all([
        Promise.race([answerTo(other).then(({ status }) => status), once(other, 'close').then(() => 'closed')]),
        drip(upload, 1024, 4 * REQUEST_TIMEOUT),
      ]);
      expect([408, 'closed']).toContain(answered);
      upload.end(END);
      expect((await uploaded).status).toBe(201);
    }));
});

it.each([0, -1, Number.NaN, 2 ** 31])('refuses the option http.uploadIdleTimeout with %s', (uploadIdleTimeout) => {
  const make = () => FilesModule.forRoot({ storages: { default: memoryStorage() }, http: { uploadIdleTimeout } });
  expect(make).toThrow(/http\.uploadIdleTimeout/);
});
