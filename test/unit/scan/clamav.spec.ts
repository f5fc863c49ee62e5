import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clamav } from 'nestjs-files/scan/clamav';
import { SIGNED_TEXT, startClamd } from '../../../scripts/clamd.mjs';
import type { Clamd } from '../../../scripts/clamd.mjs';
import { hasClamd } from '../../support/clamd.js';

const context = (size: number, signal = new AbortController().signal) => ({ size, signal, contentType: 'text/plain' });

function scan(options: Parameters<typeof clamav>[0], content: Readable | string[], signal?: AbortSignal) {
  const stream = content instanceof Readable ? content : Readable.from(content.map((part) => Buffer.from(part)));
  return clamav(options).scan(stream, context(0, signal));
}

/** A server that does with each connection what the test says. */
async function fake(serve: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** Answers once all of the content is there: four zero bytes end it. */
const answering = (answer: string) =>
  fake((socket) => {
    let last = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      last = Buffer.concat([last, bytes]).subarray(-4);
      if (last.equals(Buffer.alloc(4))) socket.end(answer);
    });
  });

describe('the client of ClamAV', () => {
  it('takes only the exact answer OK for clean', async () => {
    expect(await scan(await answering('stream: OK\0'), ['hello'])).toEqual({ clean: true });
  });

  it('takes what was found for infected', async () => {
    const found = { clean: false, finding: 'Some.Virus-1' };
    expect(await scan(await answering('stream: Some.Virus-1 FOUND\0'), ['hello'])).toEqual(found);
  });

  it.each([
    ['an error', 'INSTREAM size limit exceeded. ERROR\0', 'size limit exceeded'],
    ['an answer with more than OK', 'stream: OK or not\0', 'stream: OK or not'],
    ['an answer in other letters', 'stream: ok\0', 'stream: ok'],
    ['an answer about something else', 'file: OK\0', 'file: OK'],
    ['an answer that was cut off', 'stream: OK', 'said only "stream: OK"'],
    ['no answer', '', 'closed the connection'],
    ['too long an answer', 'x'.repeat(10_000), 'says too much'],
    ['content that it has not read as a whole', 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0', 'Exceeded'],
  ])('gives no verdict for %s', async (_what, answer, reason) => {
    const failed = scan(await answering(answer), ['hello']);
    await expect(failed).rejects.toMatchObject({ code: 'FILES_SCANNER_FAILED' });
    await expect(failed).rejects.toThrow(reason);
  });

  it('gives no verdict for an OK that came before the end of the content', async () => {
    const server = await fake((socket) => void socket.once('data', () => socket.end('stream: OK\0')));
    const content = Readable.from(
      (async function* () {
        for (;;) {
          yield Buffer.alloc(1000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })(),
    );
    await expect(scan(server, content)).rejects.toThrow('before it had all of the content');
    expect(content.destroyed).toBe(true);
  });

  it('gives no verdict if the connection breaks while the content is sent', async () => {
    const server = await fake((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(10_000);
      })(),
    );
    await expect(scan(server, endless)).rejects.toMatchObject({ code: 'FILES_SCANNER_FAILED' });
    expect(endless.destroyed).toBe(true);
  });

  it('gives no verdict where nothing listens', async () => {
    const server = await fake(() => {});
    const closed = { host: '127.0.0.1', port: server.port === 1 ? 2 : 1 };
    await expect(scan(closed, ['hello'])).rejects.toThrow('the connection failed: connect ECONNREFUSED');
    await expect(scan({ socket: '/nowhere/clamd.sock' }, ['hello'])).rejects.toThrow('ENOENT');
  });

  it('does not wait longer than it is told for a server that does not answer', async () => {
    const server = await fake((socket) => void socket.resume());
    await expect(scan({ ...server, idleTimeout: 30 }, ['hello'])).rejects.toThrow('clamd does not answer');
  });

  it('ends when its signal is aborted', async () => {
    const ending = new AbortController();
    const server = await fake((socket) => void socket.once('data', () => ending.abort(new Error('enough'))));
    await expect(scan(server, ['hello'], ending.signal)).rejects.toThrow('enough');
  });

  it('fails with the content, and does not call a part of it clean', async () => {
    const server = await answering('stream: OK\0');
    const content = Readable.from(
      (function* () {
        yield Buffer.from('first');
        throw new Error('the disk is gone');
      })(),
    );
    await expect(scan(server, content)).rejects.toThrow('the disk is gone');
  });

  it('reads no more of the content than a slow server takes', async () => {
    const ending = new AbortController();
    const server = await fake((socket) => void socket.pause());
    let read = 0;
    const content = Readable.from(
      (function* () {
        for (; read < 100_000_000; read += 65_536) yield Buffer.alloc(65_536);
      })(),
    );
    const scanning = scan({ ...server, idleTimeout: 200 }, content, ending.signal);
    await expect(scanning).rejects.toThrow('does not answer');
    // What the sockets of both sides hold, and little more.
    expect(read).toBeLessThan(20_000_000);
  });

  it.each([
    ['another answer', 'UNKNOWN COMMAND\0', 'UNKNOWN COMMAND'],
    ['an answer that was cut off', 'PO', 'said only "PO"'],
    ['no answer', '', 'closed the connection'],
  ])('takes %s to a ping for a failure', async (_what, answer, reason) => {
    const server = await fake((socket) => void socket.once('data', () => socket.end(answer)));
    await expect(clamav(server).ping?.(new AbortController().signal)).rejects.toThrow(reason);
  });

  it('ends a ping when its signal is aborted', async () => {
    const server = await fake((socket) => void socket.resume());
    await expect(clamav(server).ping?.(AbortSignal.timeout(20))).rejects.toThrow('aborted due to timeout');
  });

  it.each([
    ['neither a host nor a socket', {}],
    ['both', { host: 'localhost', socket: '/run/clamd.ctl' }],
    ['no time', { host: 'localhost', idleTimeout: 0 }],
  ])('refuses options with %s', (_what, options) => {
    expect(() => clamav(options)).toThrow(expect.objectContaining({ code: 'FILES_STORAGE_OPTION_INVALID' }) as Error);
  });
});

describe.runIf(hasClamd())('a real clamd', () => {
  let clamd: Clamd;
  const address = () => ({ host: clamd.host, port: clamd.port });
  beforeAll(async () => void (clamd = await startClamd(['MaxFileSize 512K', 'AlertExceedsMax yes'])));
  afterAll(() => clamd.stop());

  it('finds content clean and infected, also across chunks, and on its socket', async () => {
    const infected = { clean: false, finding: expect.stringMatching(/^NestjsFiles\.Test/) as string };
    expect(await scan(address(), ['hello'])).toEqual({ clean: true });
    expect(await scan(address(), [])).toEqual({ clean: true });
    expect(await scan(address(), [`before ${SIGNED_TEXT} after`])).toEqual(infected);
    expect(await scan(address(), [SIGNED_TEXT.slice(0, 20), SIGNED_TEXT.slice(20)])).toEqual(infected);
    expect(await scan({ socket: clamd.socket }, ['x'.repeat(300_000), SIGNED_TEXT])).toEqual(infected);
  });

  it('answers a ping', async () => {
    await expect(clamav(address()).ping?.(new AbortController().signal)).resolves.toBeUndefined();
  });

  it.each([
    ['what it takes', 3_000_000],
    ['what it reads of one file', 700_000],
  ])('gives no verdict for content beyond %s', async (_what, size) => {
    const failed = scan(address(), ['x'.repeat(size)]);
    await expect(failed).rejects.toMatchObject({ code: 'FILES_SCANNER_FAILED' });
  });
});
