import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect as open, constants } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as pass } from 'node:timers/promises';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Logger } from '@nestjs/common';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FilesModule, FilesService } from '../../../lib/index.js';
import type { Storage } from '../../../lib/entry/storage.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { gate } from '../../support/gate.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';

// More than the system keeps for a connection.
const SIZE = 64 * 1024 * 1024;
const IDLE = 200;

interface SlowApp extends HttpApp {
  readonly server: Server;
  /** The address of the content of a file of `ada`. */
  readonly path: string;
  /** What was opened in the storage. */
  readonly opened: readonly Readable[];
}

interface Setup {
  readonly adapter?: FastifyAdapter;
  /** The time of the server for all that its connections do. */
  readonly timeout?: number;
  readonly storage?: Storage;
  readonly content?: string;
}

/** An application with a file, in which downloads may stand still for so long. */
async function slowApp(platform: Platform, downloadIdleTimeout: number, setup: Setup = {}): Promise<SlowApp> {
  const {
    adapter,
    timeout = 0,
    storage = fsStorage({ root: newDirectory() }),
    content = Buffer.alloc(SIZE, 'x'),
  } = setup;
  const opened: Readable[] = [];
  const read = storage.read.bind(storage);
  storage.read = async (...args) => {
    const stream = await read(...args);
    opened.push(stream);
    return stream;
  };
  const app = await startApp({
    platform,
    ...(adapter && { adapter }),
    options: { storages: { default: storage }, http: { downloadIdleTimeout } },
    prepare: (nest) => void Object.assign(nest.getHttpServer() as Server, { timeout, keepAliveTimeout: 0 }),
  });
  const file = { name: 'a.bin', owner: { type: 'user', id: 'ada' } };
  const { id } = await app.app.get(FilesService).create(Buffer.from(content), file);
  return { ...app, server: app.app.getHttpServer() as Server, path: `/files/${id}/content`, opened };
}

interface Asked {
  /** Nothing is read of it yet. */
  readonly client: Socket;
  /** The same connection, as the server has it. */
  readonly served: Socket;
}

/** Asks for the content on a connection of its own. */
async function ask({ port, server, path }: SlowApp, ...headers: string[]): Promise<Asked> {
  const client = connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void client.destroy());
  const [[served]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
  client.pause().write(requestFor(path, ...headers));
  return { client, served };
}

function requestFor(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: x', 'x-user: ada', ...headers, '', ''].join('\r\n');
}

const isClosed = ({ opened }: SlowApp) => opened.map(({ closed }) => closed);

// These tests wait for time to pass, so both platforms wait together.
async function onEachPlatform(work: (platform: Platform) => Promise<void>): Promise<void> {
  await Promise.all(PLATFORMS.map(work));
}

describe('a slow download', () => {
  it.each([
    ['all', []],
    ['a part', ['Range: bytes=1024-']],
  ])('is ended when its client takes nothing of %s, and its content is closed', (_, headers) =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, IDLE);
      const { client, served } = await ask(app, ...headers);
      await once(served, 'close');
      await expect.poll(() => isClosed(app)).toEqual([true]);
      expect(client.bytesRead).toBeLessThan(SIZE);
    }),
  );

  it('is ended, too, where it waits for the answers before it', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, IDLE);
      const { client, served } = await ask(app, 'Range: bytes=0-9');
      client.write(requestFor(app.path, 'Range: bytes=0-9') + requestFor(app.path));
      await once(served, 'close');
      await expect.poll(() => isClosed(app)).toEqual([true, true, true]);
    }));

  it('is ended alone on a connection of HTTP/2', async () => {
    const app = await slowApp('fastify', IDLE, { adapter: new FastifyAdapter({ http2: true } as never) });
    const session = open(app.url);
    onTestFinished(() => session.destroy());
    const get = (path: string) => session.request({ ':path': path, 'x-user': 'ada' }).on('error', () => {});
    const slow = get(app.path);
    const broken = new Promise((resolve) => slow.once('error', resolve));
    await once(slow.pause(), 'response');
    await expect.poll(() => isClosed(app)).toEqual([true]);
    await broken;
    expect(slow.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    const other = get(app.path.replace('/content', ''));
    const [answer] = (await once(other, 'response')) as [IncomingHttpHeaders];
    expect(answer[':status']).toBe(200);
  });

  it('may take any time while its client takes something', () =>
    onEachPlatform(async (platform) => {
      const idle = 2_000;
      const app = await slowApp(platform, idle);
      const { client } = await ask(app, 'Connection: close');
      let seen = 0;
      const until = performance.now() + 3 * idle;
      client.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (performance.now() < until) client.pause();
      });
      const closed = once(client, 'close');
      while (performance.now() < until) {
        client.resume();
        await pass(40);
      }
      const early = seen;
      client.resume();
      await closed;
      expect(early).toBeLessThan(SIZE / 2);
      expect(seen).toBeGreaterThan(SIZE);
    }));

  it('is not ended while the storage gives nothing', () =>
    onEachPlatform(async (platform) => {
      const storage = memoryStorage();
      const gate = new PassThrough();
      storage.read = () => Promise.resolve(gate);
      const app = await slowApp(platform, IDLE, { storage, content: 'the beginning and the end' });
      gate.write('the beginning');
      const { client } = await ask(app, 'Connection: close');
      const answer = text(client);
      // The time is over, and nobody waits for the client.
      await once(app.server, 'timeout');
      gate.write(' and the');
      await once(app.server, 'timeout');
      gate.end(' end');
      expect(await answer).toMatch(/\r\n\r\nthe beginning and the end$/);
    }));

  it.each([0, 54_321])('leaves to its connection the time of the server: %i', (timeout) =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, 12_345, { timeout });
      const { client, served } = await ask(app, 'Range: bytes=0-9');
      await once(client.resume(), 'data');
      await expect.poll(() => served.timeout ?? 0).toBe(timeout);
    }),
  );

  it('may stand still for ever where the option is Infinity', () =>
    onEachPlatform(async (platform) => {
      const app = await slowApp(platform, Infinity, { timeout: 54_321 });
      const { client, served } = await ask(app);
      await once(client.resume(), 'data');
      client.pause();
      expect(served.timeout).toBe(54_321);
    }));
});

it.each([0, -1, Number.NaN, 2 ** 31])('refuses the option http.downloadIdleTimeout with %s', (downloadIdleTimeout) => {
  const make = () => FilesModule.forRoot({ storages: { default: memoryStorage() }, http: { downloadIdleTimeout } });
  expect(make).toThrow(/http\.downloadIdleTimeout/);
});

describe('a download whose client goes before it is sent', () => {
  /** A storage that is asked for content, and gives it when the gate opens. */
  const slowStorage = () => {
    const [asked, given] = [gate(), gate()];
    const storage = fsStorage({ root: newDirectory() });
    const read = storage.read.bind(storage);
    storage.read = async (...args) => {
      asked.open();
      await given.opened;
      return read(...args);
    };
    return { storage, asked, given };
  };

  it('closes its content', () =>
    onEachPlatform(async (platform) => {
      const { storage, asked, given } = slowStorage();
      const app = await slowApp(platform, IDLE, { storage });
      const { client, served } = await ask(app);
      await asked.opened;
      client.destroy();
      await once(served, 'close');
      given.open();
      await expect.poll(() => isClosed(app)).toEqual([true]);
    }));

  it('closes its content on HTTP/2, and is no error', async () => {
    const { storage, asked, given } = slowStorage();
    const errors = vi.spyOn(Logger.prototype, 'error');
    onTestFinished(() => errors.mockRestore());
    const app = await slowApp('fastify', IDLE, { storage, adapter: new FastifyAdapter({ http2: true } as never) });
    const session = open(app.url);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': app.path, 'x-user': 'ada' });
    await asked.opened;
    stream.close();
    await once(stream, 'close');
    await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
    given.open();
    await expect.poll(() => isClosed(app)).toEqual([true]);
    expect(errors).not.toHaveBeenCalled();
  });
});
