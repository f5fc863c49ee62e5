import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Storage } from '@google-cloud/storage';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';

const bucket = new Storage({ projectId: 'acme' }).bucket('files');
const refused = (reason: RegExp) =>
  expect.objectContaining({ code: 'FILES_STORAGE_OPTION_INVALID', message: expect.stringMatching(reason) });

// With a server: test/gcs.
describe('gcsStorage', () => {
  it('refuses a value that is not a bucket', () => {
    for (const wrong of [undefined, 'files', {}])
      expect(() => gcsStorage({ bucket: wrong as never })).toThrow(
        refused(/^Storage option "bucket" is "\w+"\. Expected: a Bucket of @google-cloud/),
      );
  });

  it.each(['/', '/app/', '../app/', 'app//', 'a\\b/'])('refuses the prefix %j', (prefix) => {
    expect(() => gcsStorage({ bucket, prefix })).toThrow(refused(/^Storage option "prefix" is /));
  });

  it.each(['cdn.example.org', 'ftp://example.org', 'https://example.org/?sig=1'])(
    'refuses the public address %j',
    (publicBaseUrl) => {
      expect(() => gcsStorage({ bucket, publicBaseUrl })).toThrow(refused(/^Storage option "publicBaseUrl" is /));
    },
  );

  it('takes a prefix with and without a slash at its end', async () => {
    for (const prefix of ['app', 'app/']) {
      const storage = gcsStorage({ bucket, prefix, publicBaseUrl: 'https://storage.googleapis.com/files/' });
      expect(storage.markPlace?.place).toBe('gs://files/app/');
      expect(await storage.publicUrl('a b/ü')).toBe('https://storage.googleapis.com/files/app/a%20b/%C3%BC');
    }
  });

  it('refuses the location of its mark, and names that Google does not have', () => {
    const storage = gcsStorage({ bucket, prefix: 'app/' });
    const longest = `${'a'.repeat(1018)}ä`;
    expect(() => storage.assertLocation('.nestjs-files/mark')).toThrow(/the mark of the storage uses it/);
    expect(() => storage.assertLocation('.nestjs-files/uploads/a')).toThrow(/uploads are kept there/);
    expect(() => storage.assertLocation(`${longest}a`)).toThrow(/with the prefix it is longer than 1024 bytes/);
    storage.assertLocation(longest);
  });

  it.each([
    ['one request', 10],
    ['chunks', 9 * 1024 ** 2],
  ])('fails a write in %s whose bytes did not arrive as they were sent, and removes them', async (_how, size) => {
    const google = await corruptingGoogle();
    const client = new Storage({ apiEndpoint: google.origin, projectId: 'acme', retryOptions: { autoRetry: false } });
    const storage = gcsStorage({ bucket: client.bucket('files') });
    const writing = storage.write('a', Readable.from([Buffer.alloc(size, 'a')]));
    await expect(writing).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      cause: expect.objectContaining({ code: expect.stringMatching(/^FILE_NO_UPLOAD/) }),
    });
    expect(google.objects).toEqual(new Map());
  });
});

/**
 * A bucket that changes bytes on their way, as the checksum in its answer tells, and refuses the first removal, which
 * is that of the client.
 */
async function corruptingGoogle() {
  const objects = new Map<string, object>();
  let begun = {};
  let removals = 0;
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<unknown> => {
    const { method, headers } = incoming;
    const { pathname, searchParams: query } = new URL(incoming.url ?? '', 'http://google');
    const body = (await buffer(incoming)).toString('latin1');
    const send = (value: object) => outgoing.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    const store = (resource: object) => {
      const stored = { ...resource, name: 'a', size: '1', generation: '1', crc32c: 'AAAAAA==' };
      objects.set('a', stored);
      return send(stored);
    };
    if (query.get('uploadType') === 'multipart')
      return store(JSON.parse(/\r\n\r\n(\{.*?\})\r\n/s.exec(body)?.[1] ?? '{}'));
    if (query.get('uploadType') === 'resumable' && method === 'POST') {
      begun = JSON.parse(body);
      return outgoing.setHeader('location', `http://${headers.host}${pathname}?upload_id=1`).end();
    }
    if (query.has('upload_id')) {
      const [, last, total] = /(\d+)\/(.*)$/.exec(headers['content-range'] ?? '') ?? [];
      return total === '*' ? outgoing.writeHead(308, { range: `bytes=0-${last}` }).end() : store(begun);
    }
    if (method === 'DELETE' && removals++ === 0) return outgoing.writeHead(403).end();
    const found = objects.get('a');
    if (!found) return outgoing.writeHead(404).end();
    if (method === 'DELETE') return objects.delete('a') && outgoing.writeHead(204).end();
    return send(found);
  };
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { objects, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
