import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UploadAbortedError, UploadBusyError, UploadIdleError } from 'nestjs-files/errors';
import { receiveChunk } from '../../../lib/http/tus/chunk-body.js';
import type { ChunkBody } from '../../../lib/http/tus/chunk-body.js';

/** A request whose body is received by `store`, and what comes of it. */
async function received<T>(
  idleTimeout: number,
  store: (body: ChunkBody, request: IncomingMessage) => Promise<T>,
  length = 50_000_000,
) {
  const server = createServer();
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const result = new Promise<T>((resolve, reject) => {
    server.once('request', (request, response) => {
      const stored = receiveChunk(request, idleTimeout, (body) => store(body, request));
      stored.finally(() => response.end()).then(resolve, reject);
    });
  });
  result.catch(() => {}); // thrown where it is awaited
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = httpRequest({ port, method: 'PATCH', headers: { 'content-length': length } });
  client.on('error', () => {});
  return { client, result };
}

async function sizeOf(content: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of content) size += chunk.length;
  return size;
}

describe('the body of a request', () => {
  it('is read no further than it is asked for', async () => {
    const { client, result } = await received(Infinity, async ({ content }, request) => {
      const chunks = content[Symbol.asyncIterator]();
      const { value } = await chunks.next();
      await delay(200);
      // A chunk that was asked for, one that Node has read ahead, and the head of the request.
      expect(request.socket.bytesRead).toBeLessThan(200_000);
      return (value as Uint8Array).length + (await sizeOf({ [Symbol.asyncIterator]: () => chunks }));
    });
    client.end(Buffer.alloc(50_000_000));
    await expect(result).resolves.toBe(50_000_000);
  });

  it('has what had come when the connection broke, also where nobody had asked for it', async () => {
    const { client, result } = await received(Infinity, async ({ content, failure }, request) => {
      await expect.poll(() => request.readableLength, { interval: 1 }).toBe(10_000);
      client.destroy();
      await new Promise((resolve) => request.once('close', resolve));
      return [await sizeOf(content), failure()];
    });
    client.write(Buffer.alloc(10_000));
    await expect(result).resolves.toEqual([10_000, expect.any(UploadAbortedError)]);
  });

  it('is whole where all of it had come when the connection broke, although nobody had asked for it', async () => {
    const wait = async ({ content, failure }: ChunkBody, request: IncomingMessage) => {
      await expect.poll(() => request.complete, { interval: 1 }).toBe(true);
      client.destroy();
      await new Promise((resolve) => request.once('close', resolve));
      return [await sizeOf(content), failure()];
    };
    const { client, result } = await received(Infinity, wait, 10_000);
    client.end(Buffer.alloc(10_000));
    await expect(result).resolves.toEqual([10_000, undefined]);
  });

  it('is not idle while nobody asks for it, and is where the client sends nothing', async () => {
    const { client, result } = await received(100, async ({ content, failure }) => {
      await delay(300);
      const before = failure();
      return [before, await sizeOf(content), failure()];
    });
    client.write(Buffer.alloc(10_000));
    await expect(result).resolves.toEqual([undefined, 10_000, expect.any(UploadIdleError)]);
  });

  it('ends with an error for who waits for it, where it is stopped', async () => {
    const { client, result } = await received(Infinity, async ({ content }) => {
      const waiting = sizeOf(content);
      content.stop(new UploadBusyError('x'));
      return waiting;
    });
    client.flushHeaders();
    await expect(result).rejects.toThrow(UploadBusyError);
  });
});
