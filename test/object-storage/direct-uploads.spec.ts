import { Readable } from 'node:stream';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { begin, describeDirectUploads, finish, partsOf, send, sign } from '../support/direct-upload-suite.js';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const PART = 5 * 1024 * 1024;

/** Both kinds of server: one that heeds conditions, and one that knows none. */
const SERVERS = {
  'with conditional writes': async () => newS3Storage({ partSize: PART }),
  'without conditional writes': async () => {
    const { endpoint } = await s3Proxy(withoutConditions);
    return newS3Storage({ partSize: PART, client: { ...s3Config(), endpoint }, conditionalWrites: false });
  },
};

for (const [name, newStorage] of Object.entries(SERVERS))
  describeDirectUploads(`a server ${name}`, async () => {
    const { storage, client, bucket, inside } = await newStorage();
    const served = async (location: string) => {
      const key = { Bucket: bucket, Key: inside.prefix + location };
      const { ContentType, CacheControl } = await client.send(new HeadObjectCommand(key));
      return [ContentType, CacheControl];
    };
    return { storage, served, unfinished: inside.uploads };
  });

describe.each(Object.entries(SERVERS))('a client that sends to a server %s', (_name, newStorage) => {
  it('is told, once the object is there, that its upload is not', async () => {
    const { storage } = await newStorage();
    const upload = await begin(storage, 5);
    const { put } = await send(storage, upload, 1, Buffer.from('first'));
    await finish(storage, upload);
    expect(await put('again')).toBe(404);
  });

  it('sends as many bytes as were announced, and no others', async () => {
    const { storage } = await newStorage();
    const upload = await begin(storage, 5);
    const { url, method } = await sign(storage, upload, 1, 5);
    for (const body of ['1234', '123456', '']) expect((await fetch(url, { method, body })).status).toBe(403);
    expect(await partsOf(storage, upload)).toEqual([]);
  });

  it('cannot get a part into the object that it replaced once the parts had been looked at', async () => {
    const { storage, inside } = await newStorage();
    const upload = await begin(storage, 5);
    const { url, method } = await sign(storage, upload, 1, 5);
    await fetch(url, { method, body: 'first' });
    const parts = await partsOf(storage, upload);
    await fetch(url, { method, body: 'other' });
    const finishing = storage.direct('file', (uploads) => uploads.finish('file', upload, parts));
    await expect(finishing).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    expect(await storage.exists('file')).toBe(false);
    await finish(storage, upload);
    expect(await inside.content('file')).toBe('other');
  });

  it('cannot have the server copy another object of the bucket into its part', async () => {
    const { storage, bucket, inside } = await newStorage();
    await storage.write('secret', Readable.from(['other']));
    const upload = await begin(storage, 5);
    const { url, method } = await sign(storage, upload, 1, 5);
    const headers = { 'x-amz-copy-source': `/${bucket}/${inside.prefix}secret` };
    const statuses: number[] = [];
    for (const range of ['bytes=0-4', undefined]) {
      const further = range === undefined ? headers : { ...headers, 'x-amz-copy-source-range': range };
      statuses.push((await fetch(url, { method, body: '12345', headers: further })).status);
    }
    expect(statuses).toEqual([400, 400]);
    expect(await partsOf(storage, upload)).toEqual([]);
  });
});

it('signs no checksum of a body that is not there yet, with the defaults of the SDK', async () => {
  const { storage } = await newS3Storage({ client: new S3Client(s3Config()) });
  const upload = await begin(storage, 5);
  const { url } = await sign(storage, upload, 1, 5);
  expect(url).not.toContain('checksum');
});

it('takes larger parts where the usual ones would be too many', async () => {
  const { storage } = await newS3Storage({ partSize: PART });
  const size = 20_000 * PART;
  expect(await begin(storage, size)).toMatchObject({ partSize: 2 * PART });
});

it('spares a location that begins with the one of an upload that is aborted', async () => {
  const { storage, inside } = await newS3Storage();
  for (const location of ['file', 'file2', 'file'])
    await storage.direct(location, (uploads) => uploads.begin(location, 5));
  await storage.direct('file', (uploads) => uploads.abort('file'));
  expect(await inside.uploads()).toEqual(['file2']);
});

it('takes an upload whose completion was cut off by the claim, and one whose reply was lost', async () => {
  const proxy = await s3Proxy();
  const { storage, inside } = await newS3Storage({
    client: { ...s3Config(), endpoint: proxy.endpoint, maxAttempts: 1 },
  });
  const upload = await begin(storage, 5);
  const { url, method } = await sign(storage, upload, 1, 5);
  await fetch(url, { method, body: 'first' });
  const cut = (how: 'before' | 'reply') => {
    proxy.decide = ({ text }) => (/^POST .*uploadId=/.test(text) ? { cut: how } : undefined);
  };
  cut('before');
  await expect(finish(storage, upload)).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
  expect([await inside.keys(), await storage.exists('file')]).toEqual([['file'], false]);
  await expect(storage.write('file', Readable.from(['x']))).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
  cut('reply');
  await finish(storage, upload);
  expect(await inside.content('file')).toBe('first');
});
