import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FilesModule } from 'nestjs-files';
import { s3Storage } from 'nestjs-files/storage/s3';
import type { S3StorageOptions } from 'nestjs-files/storage/s3';
import { copyRanges } from '../../../lib/storage/adapters/s3-copy.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { s3Fake } from '../../support/s3-fake.js';

const credentials = { accessKeyId: 'AK', secretAccessKey: 'SK' };
const asked = { disposition: 'inline', name: 'a.txt', contentType: 'text/plain' } as const;

const MIB = 1024 ** 2;
const GIB = 1024 * MIB;

// What needs no server, or one in this process; the rest is in test/object-storage.
const storageWith = (options: Partial<S3StorageOptions> = {}) =>
  s3Storage({ client: { region: 'eu-central-1', credentials }, bucket: 'files', ...options });

afterEach(() => vi.useRealTimers());

describe('s3Storage', () => {
  it('redirects downloads, if it is told to', () => {
    const storage = s3Storage({ bucket: 'portal-files', client: { region: 'eu-central-1' }, downloads: 'redirect' });
    expect(storage.downloads).toBe('redirect');
    expect(() => storageWith({ downloads: 'x-sendfile' })).toThrow('"downloads"');
  });

  it.each([
    [{ bucket: '' }, '"bucket"'],
    [{ client: undefined as never }, '"client"'],
    [{ prefix: '/app' }, '"prefix"'],
    [{ prefix: 'a//b/' }, '"prefix"'],
    [{ partSize: '4MiB' }, '"partSize" is "4MiB". Expected: from 5MiB to 5GiB'],
    [{ partSize: 'large' }, '"partSize"'],
    [{ conditionalWrites: 'no' as never }, '"conditionalWrites"'],
    [{ publicBaseUrl: 'cdn.example.org' }, '"publicBaseUrl"'],
    [{ publicBaseUrl: 'https://cdn.example.org/?a=b' }, '"publicBaseUrl"'],
    [{ maxSize: '10 apples' }, '"maxSize"'],
  ] as [Partial<S3StorageOptions>, string][])('refuses the options %o, naming the one', (options, message) => {
    expect(() => storageWith(options)).toThrow(message);
  });

  it('has public addresses only where it is told of one', async () => {
    expect(storageWith().can('publicUrl')).toBe(false);
    const storage = storageWith({ prefix: 'app', publicBaseUrl: 'https://cdn.example.org/files/' });
    expect(await storage.publicUrl('ab/ü +?.pdf')).toBe('https://cdn.example.org/files/app/ab/%C3%BC%20%2B%3F.pdf');
  });

  it('signs addresses that live no longer than was asked', async () => {
    vi.useFakeTimers({ now: new Date('2026-11-29T12:00:00.900Z') });
    const url = new URL(
      await storageWith().temporaryUrl('file', { ...asked, expiresAt: new Date('2026-11-29T12:00:10.800Z') }),
    );
    expect(url.searchParams.get('X-Amz-Date')).toBe('20261129T120000Z');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('10');
  });

  it.each([
    ['in the past', -1000],
    ['in more than a week', 7 * 86_400_000 + 2000],
    ['never', Number.NaN],
  ])('signs no address that would expire %s', async (_what, milliseconds) => {
    const signing = storageWith().temporaryUrl('file', { ...asked, expiresAt: new Date(Date.now() + milliseconds) });
    await expect(signing).rejects.toMatchObject({ code: 'FILES_LINK_OPTION_INVALID' });
  });

  it.each(['.nestjs-files/mark', '.nestjs-files/probe', 'ä'.repeat(511), 'a\uFFFE'])(
    'takes no location like %j',
    async (location) => {
      const storage = storageWith({ prefix: 'app/' });
      await expect(storage.stat(location)).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    },
  );

  it('completes a resumable upload with a client that sends checksums', async () => {
    const bucket = await s3Fake();
    const storage = s3Storage({ client: bucket.client(), bucket: 'files', partSize: '5MiB' });
    const content = randomBytes(11 * MIB);
    const handle = await storage.resumable('a', (uploads) => uploads.begin('a', content.length));
    // One part on its way while its bytes arrive, one after it is whole, and one of the tail.
    for (const [from, to, size] of [
      [0, 6 * MIB, 6 * MIB],
      [6 * MIB, content.length, undefined],
    ] as const) {
      const piece = Readable.from([content.subarray(from, to)]);
      expect(await storage.resumable('a', (uploads) => uploads.append('a', handle, from, piece, size))).toBe(to);
    }
    await storage.resumable('a', (uploads) => uploads.finish('a', handle));
    expect(bucket.objects.get('/files/a')?.bytes.equals(content)).toBe(true);
  });

  it.each([8 * MIB, 320 * MIB, 321 * MIB, 5 * GIB])(
    'copies in parts of at most 5 GiB with a partSize of %d',
    (partSize) => {
      for (const size of [5 * GIB, 5 * GIB + 1, 12 * GIB, 5120 * GIB]) {
        const ranges = copyRanges(size, partSize).map((range = `bytes=0-${size - 1}`) => range.slice(6).split('-'));
        const starts = ranges.map(([start]) => Number(start));
        const ends = ranges.map(([, last]) => Number(last) + 1);
        expect(starts).toEqual([0, ...ends.slice(0, -1)]);
        expect(ends.at(-1)).toBe(size);
        expect(Math.max(...ends.map((end, at) => end - (starts[at] ?? 0)))).toBeLessThanOrEqual(5 * GIB);
        expect(ranges.length).toBeLessThanOrEqual(10_000);
      }
    },
  );

  it.each(['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired', 'RequestTimeout'])(
    'removes many objects with one request again after an answer %s',
    async (code) => {
      const { bucket, storage, together, singly } = await removing();
      bucket.refuse = (request) => (together.test(request) ? { status: 400, code } : undefined);
      await expect(storage.removeAll(['a', 'b'])).rejects.toThrow(code);
      expect(bucket.requests.filter((request) => singly.test(request))).toEqual([]);
      bucket.refuse = () => undefined;
      await storage.removeAll(['a', 'b']);
      expect(bucket.requests.filter((request) => singly.test(request))).toEqual([]);
      expect([...bucket.objects.keys()]).toEqual([]);
    },
  );

  it('removes objects one by one on a server that cannot remove many, and asks it no more', async () => {
    const { bucket, storage, together, singly } = await removing();
    bucket.refuse = (request) => (together.test(request) ? { status: 501, code: 'NotImplemented' } : undefined);
    await storage.removeAll(['a', 'b']);
    expect([...bucket.objects.keys()]).toEqual([]);
    expect(bucket.requests.filter((request) => singly.test(request))).toHaveLength(2);
    const asked = bucket.requests.length;
    await storage.removeAll(['a', 'b']);
    expect(bucket.requests.slice(asked).filter((request) => together.test(request))).toEqual([]);
  });

  it('removes many objects with one request again after a server refused every removal', async () => {
    const { bucket, storage, together } = await removing();
    bucket.refuse = () => ({ status: 400, code: 'AuthorizationHeaderMalformed' });
    await expect(storage.removeAll(['a', 'b'])).rejects.toThrow('AuthorizationHeaderMalformed');
    bucket.refuse = () => undefined;
    const asked = bucket.requests.length;
    await storage.removeAll(['a', 'b']);
    expect(bucket.requests.slice(asked).filter((request) => together.test(request))).toHaveLength(1);
    expect([...bucket.objects.keys()]).toEqual([]);
  });

  it('connects to the servers of docs/object-storage.md', async () => {
    const account = 'account';
    const servers = {
      aws: { region: 'eu-central-1' },
      r2: { region: 'auto', endpoint: `https://${account}.r2.cloudflarestorage.com`, credentials },
      minio: { region: 'us-east-1', endpoint: 'https://minio.internal:9000', forcePathStyle: true, credentials },
      ceph: { region: 'us-east-1', endpoint: 'https://ceph.internal', forcePathStyle: true, credentials },
    };
    const origins = [];
    for (const client of Object.values({ ...servers, aws: { ...servers.aws, credentials } })) {
      const expiresAt = new Date(Date.now() + 60_000);
      const url = await s3Storage({ client, bucket: 'files' }).temporaryUrl('a', { ...asked, expiresAt });
      origins.push(new URL(url).origin + new URL(url).pathname);
    }
    expect(origins).toEqual([
      'https://files.s3.eu-central-1.amazonaws.com/a',
      'https://files.account.r2.cloudflarestorage.com/a',
      'https://minio.internal:9000/files/a',
      'https://ceph.internal/files/a',
    ]);
  });

  it('takes the client and the module of docs/object-storage.md', () => {
    const client = new S3Client({
      region: 'eu-central-1',
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { httpsAgent: { maxSockets: 500 } }, // each download that is going on has one; the default is 50
    });
    const storage = s3Storage({ client, bucket: 'acme-files' });
    expect(storage.can('write', 'read', 'remove', 'stat', 'copy', 'move', 'list', 'temporaryUrl')).toBe(true);

    const module = [
      FilesModule.forRoot({
        storages: {
          default: s3Storage({
            client: { region: 'eu-central-1' },
            bucket: 'acme-files',
            prefix: 'app/',
            maxSize: '5GiB',
          }),
        },
      }),
    ];
    expect(module).toHaveLength(1);
  });

  it('uses the options of its page', async () => {
    expect(await examplesNotRun('object-storage.md', import.meta.url)).toEqual([]);
  });
});

/** A storage on a bucket with two objects, and what its removals look like. */
async function removing() {
  const bucket = await s3Fake();
  const client = bucket.client({ maxAttempts: 1 });
  const storage = s3Storage({ client, bucket: 'files' });
  for (const location of ['a', 'b']) await storage.write(location, Readable.from([Buffer.from(location)]));
  return { bucket, storage, together: /^POST .*delete/, singly: /^DELETE / };
}
