import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { directStorage } from './direct-storage.js';
import type { DirectStorage } from './direct-storage.js';

/** A storage for direct uploads behind HTTP, as a bucket is. `refuse` may answer a request instead of it. */
export interface BucketServer extends DirectStorage {
  readonly url: string;
  /** The numbers of the parts that have arrived, in order. */
  readonly parts: number[];
  refuse: (number: number, response: ServerResponse) => boolean;
}

export async function bucketServer(partSize: number): Promise<BucketServer> {
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const direct = directStorage({ partSize, maxSize: Infinity, bucket: url });
  const parts: number[] = [];
  const bucket: BucketServer = Object.assign(Object.create(direct) as DirectStorage, {
    url,
    parts,
    refuse: () => false,
  });

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-methods': 'PUT' };
    const headers = { ...allowed, 'access-control-allow-headers': '*', 'access-control-expose-headers': 'ETag' };
    if (request.method === 'OPTIONS') return void response.writeHead(204, headers).end();
    const number = Number(new URL(request.url ?? '', url).searchParams.get('number'));
    const content = await buffer(request).catch(() => undefined);
    if (content === undefined || bucket.refuse(number, response)) return;
    const status = direct.send(url + request.url, content);
    if (status === 200) parts.push(number);
    response.writeHead(status, { ...headers, etag: `"${number}"` }).end();
  }
  return bucket;
}
