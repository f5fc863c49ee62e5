import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { s3Storage } from 'nestjs-files/storage/s3';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import type { S3Proxy } from '../support/s3-proxy.js';
import { newS3Storage, s3Config, theBucket } from '../support/s3-server.js';

const MIB = 1024 * 1024;

describe('s3Storage at boot', () => {
  it('names a bucket that is missing, the server, and the remedy', async () => {
    const { endpoint } = s3Config();
    const storage = s3Storage({ client: s3Config(), bucket: 'nestjs-files-no-such-bucket' });
    await expect(storage.connect()).rejects.toMatchObject({
      code: 'FILES_STORAGE_OPTION_INVALID',
      message: `Storage option "bucket" is "nestjs-files-no-such-bucket". Expected: a bucket that can be used; ${endpoint} answered 404: create the bucket, or correct "endpoint" of the client.`,
    });
  });

  it('says that the credentials are refused', async () => {
    const { bucket } = await theBucket();
    const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
    const storage = s3Storage({ client: { ...s3Config(), credentials }, bucket });
    await expect(storage.connect()).rejects.toThrow('answered 403: check the credentials');
  });

  it('says that nothing answers', async () => {
    const client = { ...s3Config(), endpoint: 'http://127.0.0.1:9', maxAttempts: 1 };
    const storage = s3Storage({ client, bucket: 'files' });
    await expect(storage.connect()).rejects.toThrow(
      'failed to connect to bucket "files of http://127.0.0.1:9": connect ECONNREFUSED 127.0.0.1:9',
    );
  });

  it.each([
    ['refuses', withoutConditions],
    ['ignores', ({ headers }) => (headers['if-none-match'] ? { status: 200, code: '' } : undefined)],
  ] as [string, S3Proxy['decide']][])(
    'refuses a server that %s conditions, and says what to do',
    async (what, decide) => {
      const { endpoint } = await s3Proxy(decide);
      const made = newS3Storage({ client: { ...s3Config(), endpoint } });
      await expect(made).rejects.toMatchObject({
        code: 'FILES_STORAGE_OPTION_INVALID',
        message: `Storage option "conditionalWrites" is true. Expected: false, because ${endpoint} ${what} If-None-Match.`,
      });
    },
  );

  it('takes a bucket in which it may only read', async () => {
    const proxy = await s3Proxy(({ text: one }) =>
      one.startsWith('PUT') ? { status: 403, code: 'AccessDenied' } : undefined,
    );
    const { storage } = await newS3Storage({ client: { ...s3Config(), endpoint: proxy.endpoint } });
    expect(await storage.exists('file')).toBe(false);
  });

  it('refuses parts of which the largest file would have too many', async () => {
    const storage = s3Storage({ client: s3Config(), bucket: 'files', partSize: '5MiB', maxSize: '1TiB' });
    await expect(storage.connect()).rejects.toThrow(
      'Storage option "partSize" is 5242880. Expected: at least 109951163',
    );
  });
});

describe('removeLeftovers() of s3Storage', () => {
  const soon = (): Date => new Date(Date.now() + 60_000);

  it('ends what writers that died have left, only below the prefix and only if it is old', async () => {
    const { storage, client, bucket, inside } = await newS3Storage();
    const begin = async (Key: string, size: number): Promise<void> => {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
      if (size === 0) return;
      const part = { Bucket: bucket, Key, UploadId, PartNumber: 1 };
      await client.send(new UploadPartCommand({ ...part, Body: Buffer.alloc(size), ContentLength: size }));
    };
    await begin(`${inside.prefix}ab/one +ü`, 1000);
    await begin(`${inside.prefix}ab/one +ü`, 0);
    await begin(`${inside.prefix}two`, 5000);
    const neighbour = `${inside.prefix.slice(0, -1)}-neighbour/`;
    await begin(`${neighbour}three`, 100);

    expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });
    expect(await storage.removeLeftovers(soon())).toEqual({ count: 3, size: 6000 });
    expect(await inside.uploads()).toEqual([]);
    const other = await newS3Storage({ prefix: neighbour });
    expect(await other.inside.uploads()).toEqual(['three']);
    expect(await other.storage.removeLeftovers(soon())).toEqual({ count: 1, size: 100 });
  });

  it('goes on after a hundred', async () => {
    const { storage, client, bucket, inside } = await newS3Storage();
    for (let at = 0; at < 110; at += 10)
      await Promise.all(
        Array.from({ length: 10 }, (_, one) =>
          client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${inside.prefix}${at + one}` })),
        ),
      );
    expect(await storage.removeLeftovers(soon())).toEqual({ count: 110, size: 0 });
    expect(await inside.uploads()).toEqual([]);
  });

  it('lets a write fail whose upload it has ended, and leaves the location free', async () => {
    const { storage, inside } = await newS3Storage({ partSize: 5 * MIB });
    const source = new Readable({ read() {} });
    source.push(Buffer.alloc(6 * MIB));
    // Its first part may be refused before the source ends.
    const refused = storage.write('slow', source).catch((error: unknown) => String(error));
    await expect.poll(() => inside.uploads()).toEqual(['slow']);
    expect((await storage.removeLeftovers(soon())).count).toBe(1);
    source.push(null);
    expect(await refused).toContain('404 NoSuchUpload');
    expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
    await storage.write('slow', Readable.from([Buffer.from('again')]));
    expect(await text(await storage.read('slow'))).toBe('again');
  });
});
