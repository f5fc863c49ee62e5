import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';

interface Stored {
  bytes: Buffer;
  /** As it was sent; `undefined` where none was. */
  checksum?: string | undefined;
  headers?: Record<string, string>;
}

/** A refusal of S3. */
export interface S3Refusal {
  status: number;
  code: string;
}

/**
 * A bucket in this process, which does what Amazon documents where other servers do not: it keeps the checksums of
 * parts, and wants to see them again when an upload is completed.
 */
export interface S3Fake {
  readonly objects: ReadonlyMap<string, Stored>;
  /** `DELETE /bucket/key`. */
  readonly requests: string[];
  /** May answer a request in place of the bucket. */
  refuse: (request: string) => S3Refusal | undefined;
  /** A client with the SDK's own defaults, or others. */
  client(config?: S3ClientConfig): S3Client;
}

/** Starts one; it ends with the test. */
export async function s3Fake(): Promise<S3Fake> {
  const objects = new Map<string, Stored>();
  const uploads = new Map<string, Map<number, Stored>>();
  const requests: string[] = [];

  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', headers } = incoming;
    const url = new URL(incoming.url ?? '', endpoint);
    const content = sentIn(incoming, await buffer(incoming));
    url.searchParams.delete('x-id');
    const request = `${method} ${url.pathname}${url.search}`;
    requests.push(request);
    const send = (body = '', more: Record<string, string> = {}): undefined =>
      void outgoing.writeHead(200, more).end(method === 'HEAD' ? undefined : body);
    const refusal = fake.refuse(request) ?? answer();
    if (!refusal) return;
    const error = `<Error><Code>${refusal.code}</Code><Message>as the test says</Message></Error>`;
    outgoing.writeHead(refusal.status, { 'content-type': 'application/xml' });
    outgoing.end(method === 'HEAD' ? undefined : error);

    function answer(): S3Refusal | undefined {
      const { pathname, searchParams: query } = url;
      const id = query.get('uploadId');
      if (query.has('uploads')) return send(begun());
      if (query.has('delete')) return send(removed(pathname, content.bytes.toString()));
      const parts = id === null ? undefined : uploads.get(id);
      if (id !== null && !parts) return { status: 404, code: 'NoSuchUpload' };
      if (parts && method === 'PUT') {
        parts.set(Number(query.get('partNumber')), content);
        return send('', { etag: tagOf(content), ...checksumIn(content) });
      }
      if (parts && method === 'GET') return send(listed(parts));
      if (parts && method === 'POST') return completed(id ?? '', pathname, content.bytes.toString());
      return ofObject(pathname);
    }

    function ofObject(key: string): S3Refusal | undefined {
      if (method === 'DELETE') {
        objects.delete(key);
        return void outgoing.writeHead(204).end();
      }
      const there = objects.get(key);
      if (method === 'PUT') {
        if (there && headers['if-none-match'] === '*') return { status: 412, code: 'PreconditionFailed' };
        const kept = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-')) as [string, string][];
        objects.set(key, { ...content, headers: Object.fromEntries(kept) });
        return send('', { etag: tagOf(content) });
      }
      if (!there) return { status: 404, code: 'NoSuchKey' };
      outgoing.writeHead(200, { 'content-length': there.bytes.length, etag: tagOf(there), ...there.headers });
      return void outgoing.end(method === 'HEAD' ? undefined : there.bytes);
    }

    function completed(id: string, key: string, xml: string): S3Refusal | undefined {
      const parts = uploads.get(id) ?? new Map<number, Stored>();
      const chosen: Buffer[] = [];
      for (const [, one = ''] of xml.matchAll(/<Part>(.*?)<\/Part>/gs)) {
        const part = parts.get(Number(inTag(one, 'PartNumber')));
        const isRight = part && inTag(one, 'ETag') === tagOf(part) && inTag(one, 'ChecksumCRC32') === part.checksum;
        if (!isRight) return { status: 400, code: 'InvalidPart' };
        chosen.push(part.bytes);
      }
      uploads.delete(id);
      objects.set(key, { bytes: Buffer.concat(chosen) });
      return send('<CompleteMultipartUploadResult/>');
    }
  }

  function begun(): string {
    const id = randomUUID();
    uploads.set(id, new Map());
    return `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
  }

  function removed(bucket: string, xml: string): string {
    for (const [, key = ''] of xml.matchAll(/<Key>(.*?)<\/Key>/g))
      objects.delete(`${bucket.replace(/\/$/, '')}/${key}`);
    return '<DeleteResult/>';
  }

  const fake: S3Fake = {
    objects,
    requests,
    refuse: () => undefined,
    client: (config = {}) =>
      new S3Client({
        region: 'us-east-1',
        endpoint,
        forcePathStyle: true,
        credentials: { accessKeyId: 'AK', secretAccessKey: 'SK' },
        ...config,
      }),
  };
  return fake;
}

/** What was sent, without the frames of a stream with a trailer. */
function sentIn({ headers }: IncomingMessage, body: Buffer): Stored {
  const checksum = headers['x-amz-checksum-crc32'] as string | undefined;
  if (headers['content-encoding'] !== 'aws-chunked') return { bytes: body, checksum };
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const start = body.indexOf('\r\n', at) + 2;
    const size = Number.parseInt(body.subarray(at, start).toString(), 16);
    if (size === 0) break;
    chunks.push(body.subarray(start, start + size));
    at = start + size + 2;
  }
  const bytes = Buffer.concat(chunks);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return { bytes, checksum: sum.toString('base64') };
}

function listed(parts: ReadonlyMap<number, Stored>): string {
  const each = [...parts].toSorted(([a], [b]) => a - b);
  const xml = each.map(([number, part]) => {
    const checksum = part.checksum === undefined ? '' : `<ChecksumCRC32>${part.checksum}</ChecksumCRC32>`;
    const rest = `<Size>${part.bytes.length}</Size><ETag>${tagOf(part).replaceAll('"', '&quot;')}</ETag>`;
    return `<Part><PartNumber>${number}</PartNumber>${rest}${checksum}</Part>`;
  });
  return `<ListPartsResult><IsTruncated>false</IsTruncated>${xml.join('')}</ListPartsResult>`;
}

function inTag(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>(.*?)</${name}>`).exec(xml)?.[1]?.replaceAll('&quot;', '"');
}

function tagOf({ bytes }: Stored): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function checksumIn({ checksum }: Stored): Record<string, string> {
  return checksum === undefined ? {} : { 'x-amz-checksum-crc32': checksum };
}
