import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Storage } from 'nestjs-files/storage';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { once } from '../support/wire.js';
import { clientOf, GCS, namesIn, newWorld } from './server.js';

const MiB = 1024 * 1024;
const CHUNK = 8 * MiB;
const ANY_CHUNK = /^PUT .*upload_id=/;

async function setUp() {
  const world = await newWorld();
  const storage = gcsStorage({ bucket: world.bucket, prefix: 'app/', maxSize: Infinity });
  await storage.connect();
  world.wire.disturb(() => undefined);
  return { ...world, storage };
}

const source = (bytes: Buffer | string): Readable => Readable.from([Buffer.from(bytes)], { objectMode: false });

/** In pieces of odd sizes, as a network has them. */
function pieces(bytes: Buffer, size = 100_003): Readable {
  let at = 0;
  return new Readable({
    read() {
      this.push(at < bytes.length ? bytes.subarray(at, (at += size)) : null);
    },
  });
}

/** Gives the bytes, and then neither more nor an end. */
function unending(bytes: Buffer): Readable {
  const content = new Readable({ read() {} });
  content.push(bytes);
  return content;
}

async function locationsIn(storage: Storage, directory?: string): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of storage.list(directory)) locations.push(location);
  return locations;
}

describe.skipIf(!GCS)('gcsStorage', () => {
  describe('writing', () => {
    it('keeps a file below the prefix, and nothing else', async () => {
      const { direct, storage } = await setUp();
      await storage.write('ab/cd.html', source('content'));
      expect(await namesIn(direct)).toEqual(['app/ab/cd.html']);
      const [{ contentType }] = await direct.file('app/ab/cd.html').getMetadata();
      expect(contentType).toBe('application/octet-stream');
    });

    it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 12_345])('keeps %i bytes', async (size) => {
      const { storage, wire } = await setUp();
      const bytes = randomBytes(size);
      await storage.write('file', pieces(bytes));
      const chunks = wire.asked.filter(({ line }) => ANY_CHUNK.test(line)).length;
      expect(chunks).toBe(size > CHUNK ? Math.ceil(size / CHUNK) : 0);
      expect((await buffer(await storage.read('file'))).equals(bytes)).toBe(true);
    });

    it.each([10, CHUNK + 1])('lets one of eight writes of %i bytes at once win', async (size) => {
      const { storage } = await setUp();
      const contents = Array.from({ length: 8 }, (_, at) => Buffer.alloc(size, String(at)));
      const outcomes = await Promise.allSettled(contents.map((bytes) => storage.write('raced', pieces(bytes))));
      const won = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []));
      const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
      expect([won.length, codes]).toEqual([1, Array.from({ length: 7 }, () => 'FILES_LOCATION_TAKEN')]);
      expect((await buffer(await storage.read('raced'))).equals(contents[won[0]!]!)).toBe(true);
    });

    it('says that a location is taken before it sends a chunk', async () => {
      const { storage, wire } = await setUp();
      await storage.write('taken', source('first'));
      wire.disturb(() => undefined);
      await expect(storage.write('taken', source(Buffer.alloc(2 * CHUNK)))).rejects.toMatchObject({
        code: 'FILES_LOCATION_TAKEN',
      });
      expect(wire.asked.map(({ line }) => line.split(' ')[0])).toEqual(['GET']);
    });

    it('reads no more ahead than three chunks', async () => {
      const { storage, wire } = await setUp();
      let read = 0;
      const content = new Readable({
        read() {
          read += MiB;
          this.push(read <= 8 * CHUNK ? Buffer.alloc(MiB) : null);
        },
      });
      wire.disturb(({ line }) => (ANY_CHUNK.test(line) ? 'hold' : undefined));
      const writing = storage.write('large', content);
      await expect.poll(() => wire.held).toBe(1);
      expect(read).toBeLessThan(3 * CHUNK + 2 * MiB);
      wire.letGo();
      await writing;
      expect((await storage.stat('large'))?.size).toBe(8 * CHUNK);
    });

    it('shows nothing of a file that is not complete, and leaves nothing that can be seen when the source fails', async () => {
      const { direct, storage, wire } = await setUp();
      const content = unending(randomBytes(2 * CHUNK + 1));
      const writing = storage.write('broken', content);
      await expect.poll(() => wire.asked.filter(({ line }) => ANY_CHUNK.test(line)).length).toBe(2);
      expect([await storage.exists('broken'), await locationsIn(storage)]).toEqual([false, []]);
      const fault = new Error('the source failed');
      content.destroy(fault);
      await expect(writing).rejects.toBe(fault);
      expect(await namesIn(direct)).toEqual([]);
      await expect(storage.read('broken')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
      await storage.write('broken', source('again'));
      expect(await text(await storage.read('broken'))).toBe('again');
    });

    it.each([
      ['of the session', CHUNK + 1, /^POST .*uploadType=resumable/],
      ['of a chunk', CHUNK + 1, ANY_CHUNK],
      ['of a file in one piece', 10, /^POST .*uploadType=multipart/],
    ])('survives a request %s that breaks, and one whose answer is lost', async (_, size, pattern) => {
      const { storage, wire } = await setUp();
      for (const cut of ['request', 'answer'] as const) {
        const bytes = randomBytes(size);
        wire.disturb(once(pattern, cut));
        await storage.write(cut, pieces(bytes));
        expect(wire.asked.filter(({ line }) => pattern.test(line)).length).toBeGreaterThan(1);
        expect((await buffer(await storage.read(cut))).equals(bytes)).toBe(true);
      }
    });

    it('survives that the answer to the last chunk is lost', async () => {
      const { storage, wire } = await setUp();
      const bytes = randomBytes(CHUNK + 1);
      const isLast = ({ headers }: { headers: Record<string, unknown> }) =>
        String(headers['content-range']).endsWith(`/${bytes.length}`);
      let isLost = false;
      wire.disturb((asked) => {
        if (isLost || !isLast(asked)) return undefined;
        isLost = true;
        return 'answer';
      });
      await storage.write('file', pieces(bytes));
      expect((await buffer(await storage.read('file'))).equals(bytes)).toBe(true);
    });

    it('fails, and stores nothing, when the server is gone in the middle', async () => {
      const { direct, storage, wire } = await setUp();
      wire.disturb(({ line }) => (ANY_CHUNK.test(line) ? 'request' : undefined));
      const content = pieces(randomBytes(3 * CHUNK));
      await expect(storage.write('gone', content)).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect([content.destroyed, await namesIn(direct)]).toEqual([true, []]);
    });
  });

  describe('reading', () => {
    it('gives no bytes after the last one, and none of an empty file', async () => {
      const { storage } = await setUp();
      await storage.write('five', source('12345'));
      await storage.write('empty', source(''));
      for (const location of ['five', 'empty'])
        expect(await text(await storage.read(location, { start: 5, end: 9 }))).toBe('');
      expect(await text(await storage.read('five', { start: 4, end: Number.MAX_SAFE_INTEGER - 1 }))).toBe('5');
      const missing = storage.read('missing', { start: 5, end: 9 });
      await expect(missing).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    });

    it('fails where the connection breaks, after bytes of the file and no others', async () => {
      const { storage, wire } = await setUp();
      const bytes = randomBytes(4 * MiB);
      await storage.write('file', source(bytes));
      for (const range of [undefined, { start: 1000, end: 3 * MiB }]) {
        wire.disturb(once(/alt=media/, MiB));
        const content = await storage.read('file', range);
        const chunks: Buffer[] = [];
        content.on('data', (chunk: Buffer) => chunks.push(chunk));
        await expect(finished(content)).rejects.toThrow();
        const got = Buffer.concat(chunks);
        const start = range?.start ?? 0;
        expect(got.length).toBeLessThanOrEqual(MiB);
        expect(got.equals(bytes.subarray(start, start + got.length))).toBe(true);
      }
    });

    it('asks again where no answer comes, or one that the server cannot answer now', async () => {
      const { storage, wire } = await setUp();
      await storage.write('file', source('content'));
      wire.disturb(once(/alt=media/, 'request'));
      expect(await text(await storage.read('file'))).toBe('content');
      wire.disturb(({ line }) => (line.includes('alt=media') ? 'request' : undefined));
      await expect(storage.read('file')).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect(wire.asked).toHaveLength(4);
    });

    it('lets the connection go when the stream is destroyed, and no other one', async () => {
      const { storage, wire } = await setUp();
      const bytes = randomBytes(16 * MiB);
      await storage.write('file', source(bytes));
      const [one, other] = [await storage.read('file'), await storage.read('file')];
      expect(wire.busy).toBe(2);
      one.destroy();
      await expect.poll(() => wire.busy).toBe(1);
      expect((await buffer(other)).equals(bytes)).toBe(true);
    });

    it('gives the bytes of an object with an encoding as they are', async () => {
      const { direct, storage } = await setUp();
      const bytes = gzipSync('content');
      const preconditionOpts = { ifGenerationMatch: 0 };
      const metadata = { contentEncoding: 'gzip' };
      await direct.file('app/packed').save(bytes, { resumable: false, preconditionOpts, metadata });
      expect((await buffer(await storage.read('packed'))).equals(bytes)).toBe(true);
    });

    it('tells a missing bucket from a missing file', async () => {
      const { bucket, front, storage } = await setUp();
      front.removeBucket(bucket.name);
      for (const verb of ['read', 'stat', 'remove'] as const)
        await expect(storage[verb]('file')).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    });

    it('sends the token of the client with every kind of request', async () => {
      const { bucket, storage, wire } = await setUp();
      await storage.write('file', source('content'));
      const authClient = { getRequestHeaders: async () => ({ authorization: 'Bearer token' }) } as never;
      const client = clientOf(wire.url, {
        authClient,
        credentials: undefined as never,
        useAuthWithCustomEndpoint: true,
      });
      const own = gcsStorage({
        bucket: client.bucket(bucket.name),
        prefix: 'app/',
        disable: ['temporaryUrl', 'directUploads'],
      });
      wire.disturb(() => undefined);
      await own.connect();
      await own.write('other', source('other'));
      expect(await text(await own.read('file'))).toBe('content');
      await own.remove('file');
      expect(wire.asked.map(({ headers }) => headers.authorization)).toEqual(wire.asked.map(() => 'Bearer token'));
      expect(wire.asked).toHaveLength(4);
    });
  });

  it('removes many, and tells of one that cannot be removed', async () => {
    const { storage, wire } = await setUp();
    const locations = Array.from({ length: 40 }, (_, at) => `file-${at}`);
    await Promise.all(locations.map((location) => storage.write(location, source(location))));
    wire.disturb(({ line }) => (/^DELETE .*file-3$/.test(line) ? 'request' : undefined));
    await expect(storage.removeAll(locations.slice(0, 20))).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    expect(await locationsIn(storage)).toContain('file-3');
    wire.disturb(once(/^DELETE/, 'answer'));
    await storage.removeAll(locations);
    expect(await locationsIn(storage)).toEqual([]);
  });

  describe('copying', () => {
    it('survives an answer that is lost', async () => {
      const { storage, wire } = await setUp();
      await storage.write('from', source('content'));
      wire.disturb(once(/rewriteTo/, 'answer'));
      await storage.copy('from', 'to');
      expect(await text(await storage.read('to'))).toBe('content');
    });

    it('takes as many steps as the server wants, and overwrites nothing that came meanwhile', async () => {
      const { direct, front, storage, wire } = await setUp();
      await storage.write('from', source('content'));
      front.rewriteSteps = 3;
      wire.disturb(() => undefined);
      await storage.copy('from', 'to');
      expect(wire.asked.filter(({ line }) => line.includes('rewriteTo'))).toHaveLength(3);
      expect(await text(await storage.read('to'))).toBe('content');

      wire.disturb(({ line }) => (line.includes('rewriteToken') ? 'hold' : undefined));
      const copying = storage.copy('from', 'taken');
      await expect.poll(() => wire.held).toBe(1);
      await gcsStorage({ bucket: direct, prefix: 'app/' }).write('taken', source('other'));
      wire.letGo();
      await expect(copying).rejects.toMatchObject({ code: 'FILES_LOCATION_TAKEN' });
      expect(await text(await storage.read('taken'))).toBe('other');
    });

    it('lets one of eight copies at once win', async () => {
      const { storage } = await setUp();
      const names = Array.from({ length: 8 }, (_, at) => `from-${at}`);
      for (const name of names) await storage.write(name, source(name));
      const outcomes = await Promise.allSettled(names.map((name) => storage.copy(name, 'to')));
      const won = names.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      expect([won.length, await text(await storage.read('to'))]).toEqual([1, won[0]]);
    });
  });

  it('lists more than a page', async () => {
    const { front, direct, storage } = await setUp();
    const names = Array.from({ length: 1010 }, (_, at) => `many/${at}`);
    for (const name of names) await front.objects.emulator.store(direct.name, `app/${name}`, Buffer.from('x'), {});
    expect((await locationsIn(storage, 'many')).toSorted()).toEqual(names.toSorted());
  });

  it('keeps retrying after every kind of request', async () => {
    const { bucket, storage } = await setUp();
    await storage.markPlace?.create('one');
    await storage.markPlace?.replace('two');
    await Promise.all(['a', 'b', 'c'].map((location) => storage.write(location, source(location))));
    await Promise.all([storage.copy('a', 'd'), storage.removeAll(['b', 'c']), storage.stat('a'), locationsIn(storage)]);
    expect(bucket.storage.retryOptions.autoRetry).toBe(true);
  });

  describe('addresses', () => {
    const request = (expiresIn: number) => ({
      expiresAt: new Date(Date.now() + expiresIn),
      disposition: 'attachment' as const,
      name: 'Übersicht "1".pdf',
      contentType: 'application/pdf',
      cacheControl: 'private, max-age=60',
    });

    it('lends a file under its name and type, until it expires', async () => {
      const { storage } = await setUp();
      await storage.write("a b/ü?#%'()*!", source('content'));
      const url = await storage.temporaryUrl("a b/ü?#%'()*!", request(2_000));
      const lent = await fetch(url);
      expect([lent.status, await lent.text()]).toEqual([200, 'content']);
      expect(lent.headers.get('content-type')).toBe('application/pdf');
      expect(lent.headers.get('cache-control')).toBe('private, max-age=60');
      expect(lent.headers.get('content-disposition')).toBe(
        `attachment; filename="Ubersicht \\"1\\".pdf"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.pdf`,
      );
      const part = await fetch(url, { headers: { range: 'bytes=3-4' } });
      expect([part.status, await part.text()]).toEqual([206, 'te']);
      await expect.poll(async () => (await fetch(url)).status, { timeout: 5_000 }).toBe(403);
    });

    it.each([-60_000, 8 * 24 * 3_600_000])('refuses to sign for %i ms', async (expiresIn) => {
      const { storage } = await setUp();
      await expect(storage.temporaryUrl('file', request(expiresIn))).rejects.toMatchObject({
        code: 'FILES_LINK_OPTION_INVALID',
      });
    });

    it('lends it for reading alone, that file alone, and with these headers alone', async () => {
      const { storage } = await setUp();
      await storage.write('lent', source('content'));
      await storage.write('kept', source('secret'));
      const url = await storage.temporaryUrl('lent', request(60_000));
      const answers = await Promise.all([
        fetch(url, { method: 'PUT', body: 'x' }),
        fetch(url.replace('/lent?', '/kept?')),
        fetch(url.replace('attachment', 'inline')),
        fetch(url.replace(/X-Goog-Expires=\d+/, 'X-Goog-Expires=600')),
        fetch(url.slice(0, url.indexOf('?'))),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
      expect(await text(await storage.read('lent'))).toBe('content');
    });

    it('has public addresses only where one is configured', async () => {
      const { bucket, front, storage, wire } = await setUp();
      front.addBucket(bucket.name, true);
      const open = gcsStorage({ bucket, prefix: 'app/', publicBaseUrl: `${wire.url.origin}/${bucket.name}/` });
      expect([storage.can('publicUrl'), open.can('publicUrl')]).toEqual([false, true]);
      await open.write('a b/ü?#%', source('content'));
      expect(await (await fetch(await open.publicUrl('a b/ü?#%'))).text()).toBe('content');
    });
  });

  describe('the place', () => {
    it('creates its mark where the answer is lost', async () => {
      const { storage, wire } = await setUp();
      wire.disturb(once(/^POST .*mark/, 'answer'));
      expect(await storage.markPlace?.create('mine')).toBe(true);
      expect(await storage.markPlace?.create('other')).toBe(false);
    });

    it('says which bucket is missing, and what to do', async () => {
      const { bucket, front, storage } = await setUp();
      front.removeBucket(bucket.name);
      await expect(storage.connect()).rejects.toMatchObject({
        code: 'FILES_STORAGE_OPTION_INVALID',
        message: expect.stringMatching(new RegExp(`gs://${bucket.name}/app/.*create "${bucket.name}"`)),
      });
    });

    it('does not start with a client that cannot sign, unless nothing is to be signed', async () => {
      const { bucket, wire } = await setUp();
      const keyless = clientOf(wire.url, { credentials: { client_email: 'a@b.example' } }).bucket(bucket.name);
      await expect(gcsStorage({ bucket: keyless }).connect()).rejects.toMatchObject({
        code: 'FILES_STORAGE_OPTION_INVALID',
        message: expect.stringContaining("disable: ['temporaryUrl', 'directUploads']"),
      });
      await gcsStorage({ bucket: keyless, disable: ['temporaryUrl', 'directUploads'] }).connect();
    });

    it('says where it could not connect to', async () => {
      const retryOptions = { autoRetry: false };
      const bucket = clientOf(new URL('http://127.0.0.1:9'), { retryOptions }).bucket('files');
      await expect(gcsStorage({ bucket }).connect()).rejects.toMatchObject({
        code: 'FILES_STORAGE_FAILED',
        message: expect.stringContaining('gs://files/'),
      });
    });
  });
});
