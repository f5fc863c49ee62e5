import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import type { ContainerClient } from '@azure/storage-blob';
import { ContainerClient as Container } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import type { Storage } from 'nestjs-files/storage';
import { azureStorage } from 'nestjs-files/storage/azure';
import { AZURE, newContainer, service, wired, withSas } from './server.js';
import { once } from '../support/wire.js';

const MiB = 1024 * 1024;
const BLOCK = 8 * MiB;

async function setUp() {
  const direct = await newContainer();
  const { wire, container } = await wired(direct);
  const storage = azureStorage({ container, prefix: 'app/', maxSize: Infinity });
  await storage.connect();
  wire.disturb(() => undefined);
  return { direct, wire, container, storage };
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

async function namesIn(container: ContainerClient, includeUncommitedBlobs = false): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs })) names.push(name);
  return names;
}

async function locationsIn(storage: Storage, directory?: string): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of storage.list(directory)) locations.push(location);
  return locations;
}

describe.skipIf(!AZURE)('azureStorage', () => {
  describe('writing', () => {
    it('keeps a file below the prefix, and nothing else', async () => {
      const { direct, storage } = await setUp();
      await storage.write('ab/cd', source('content'));
      expect(await namesIn(direct)).toEqual(['app/ab/cd']);
    });

    it.each([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 12_345])('keeps %i bytes', async (size) => {
      const { storage, wire } = await setUp();
      const bytes = randomBytes(size);
      await storage.write('file', pieces(bytes));
      const blocks = wire.asked.filter(({ line }) => /comp=block(&|$)/.test(line)).length;
      expect(blocks).toBe(size > BLOCK ? Math.ceil(size / BLOCK) : 0);
      expect((await buffer(await storage.read('file'))).equals(bytes)).toBe(true);
    });

    it.each([10, BLOCK + 1])('lets one of eight writes of %i bytes at once win', async (size) => {
      const { storage } = await setUp();
      const contents = Array.from({ length: 8 }, (_, at) => Buffer.alloc(size, String(at)));
      const outcomes = await Promise.allSettled(contents.map((bytes) => storage.write('raced', pieces(bytes))));
      const won = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []));
      const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
      expect([won.length, codes]).toEqual([1, Array.from({ length: 7 }, () => 'FILES_LOCATION_TAKEN')]);
      expect((await buffer(await storage.read('raced'))).equals(contents[won[0]!]!)).toBe(true);
    });

    it('says that a location is taken before it sends a block', async () => {
      const { storage, wire } = await setUp();
      await storage.write('taken', source('first'));
      wire.disturb(() => undefined);
      await expect(storage.write('taken', source(Buffer.alloc(2 * BLOCK)))).rejects.toMatchObject({
        code: 'FILES_LOCATION_TAKEN',
      });
      expect(wire.asked.map(({ line }) => line.split(' ')[0])).toEqual(['HEAD']);
    });

    it('reads no more ahead than three blocks', async () => {
      const { storage, wire } = await setUp();
      let read = 0;
      const content = new Readable({
        read() {
          read += MiB;
          this.push(read <= 8 * BLOCK ? Buffer.alloc(MiB) : null);
        },
      });
      wire.disturb(({ line }) => (line.includes('comp=block&') ? 'hold' : undefined));
      const writing = storage.write('large', content);
      await expect.poll(() => wire.held).toBe(2);
      expect(read).toBeLessThan(3 * BLOCK + 2 * MiB);
      wire.letGo();
      await writing;
      expect((await storage.stat('large'))?.size).toBe(8 * BLOCK);
    });

    it('shows nothing of a file that is not complete, and leaves blocks that nobody sees when the source fails', async () => {
      const { direct, storage, wire } = await setUp();
      const content = unending(randomBytes(2 * BLOCK + 1));
      const writing = storage.write('broken', content);
      await expect.poll(() => wire.asked.filter(({ line }) => line.includes('comp=block&')).length).toBe(2);
      expect([await storage.exists('broken'), await locationsIn(storage)]).toEqual([false, []]);
      const fault = new Error('the source failed');
      content.destroy(fault);
      await expect(writing).rejects.toBe(fault);
      expect([await namesIn(direct), await namesIn(direct, true)]).toEqual([[], ['app/broken']]);
      await expect(storage.read('broken')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
      await storage.write('broken', source('again'));
      expect(await text(await storage.read('broken'))).toBe('again');
    });

    it.each([
      ['of a block', BLOCK + 1, /comp=block&/],
      ['of the list of blocks', BLOCK + 1, /comp=blocklist/],
      ['of a file in one piece', 10, /^PUT [^?]*$/],
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

    it('fails, and stores nothing, when the server is gone in the middle', async () => {
      const { direct, storage, wire } = await setUp();
      wire.disturb(({ line }) => (line.includes('comp=block&') ? 'request' : undefined));
      const content = pieces(randomBytes(3 * BLOCK));
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
        wire.disturb(once(/^GET/, MiB));
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

    it('lets the connection go when the stream is destroyed', async () => {
      const { storage, wire } = await setUp();
      await storage.write('file', source(randomBytes(16 * MiB)));
      const content = await storage.read('file');
      expect(wire.busy).toBe(1);
      content.destroy();
      await expect.poll(() => wire.busy).toBe(0);
    });

    it('gives the bytes of a blob with an encoding as they are', async () => {
      const { direct, storage } = await setUp();
      const bytes = gzipSync('content');
      const blobHTTPHeaders = { blobContentEncoding: 'gzip' };
      await direct.getBlockBlobClient('app/packed').upload(bytes, bytes.length, { blobHTTPHeaders });
      expect((await buffer(await storage.read('packed'))).equals(bytes)).toBe(true);
    });

    it('tells a missing container from a missing file', async () => {
      const { direct, storage } = await setUp();
      await direct.delete();
      for (const verb of ['read', 'stat', 'remove'] as const)
        await expect(storage[verb]('file')).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    });
  });

  describe('removing', () => {
    it('removes a file that somebody took snapshots of', async () => {
      const { direct, storage } = await setUp();
      await storage.write('file', source('content'));
      await direct.getBlobClient('app/file').createSnapshot();
      await storage.remove('file');
      expect(await storage.exists('file')).toBe(false);
    });

    it('removes many, and tells of one that cannot be removed', async () => {
      const { direct, storage } = await setUp();
      const locations = Array.from({ length: 40 }, (_, at) => `file-${at}`);
      await Promise.all(locations.map((location) => storage.write(location, source(location))));
      await direct.getBlobClient('app/file-3').getBlobLeaseClient().acquireLease(-1);
      await expect(storage.removeAll(locations.slice(0, 20))).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect(await locationsIn(storage)).toContain('file-3');
      await direct.getBlobClient('app/file-3').getBlobLeaseClient().breakLease(0);
      await storage.removeAll(locations);
      expect(await locationsIn(storage)).toEqual([]);
    });
  });

  describe('copying', () => {
    it('survives an answer that is lost', async () => {
      const { storage, wire } = await setUp();
      await storage.write('from', source('content'));
      wire.disturb(once(/^PUT .*\/to$/, 'answer'));
      await storage.copy('from', 'to');
      expect(await text(await storage.read('to'))).toBe('content');
    });

    it('waits for a copy that is made in the background, and shows nothing of it before', async () => {
      const { storage, wire } = await setUp();
      await storage.write('from', source('content'));
      let isPending = true;
      let looks = 0;
      wire.disturb(({ line }) => {
        if (!/^(HEAD|GET) .*\/to$/.test(line)) return undefined;
        looks++;
        return isPending ? { 'x-ms-copy-status': 'pending' } : undefined;
      });
      const copying = storage.copy('from', 'to');
      await expect.poll(() => looks).toBeGreaterThan(0);
      expect(await storage.exists('to')).toBe(false);
      await expect(storage.read('to')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
      isPending = false;
      await copying;
      expect(await text(await storage.read('to'))).toBe('content');
    });

    it('leaves nothing of a copy that fails in the background', async () => {
      const { storage, wire } = await setUp();
      await storage.write('from', source('content'));
      wire.disturb(once(/^HEAD .*\/to$/, { 'x-ms-copy-status': 'failed' }));
      await expect(storage.copy('from', 'to')).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect(await locationsIn(storage)).toEqual(['from']);
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
    const { direct, storage } = await setUp();
    const names = Array.from({ length: 5010 }, (_, at) => `many/${at}`);
    for (let at = 0; at < names.length; at += 100) {
      const some = names.slice(at, at + 100);
      await Promise.all(some.map((name) => direct.getBlockBlobClient(`app/${name}`).upload('x', 1)));
    }
    expect((await locationsIn(storage, 'many')).toSorted()).toEqual(names.toSorted());
  });

  describe('addresses', () => {
    const request = (expiresIn: number) => ({
      expiresAt: new Date(Date.now() + expiresIn),
      disposition: 'attachment' as const,
      name: 'Übersicht "1".pdf',
      contentType: 'application/pdf',
    });

    it('lends a file under its name and type, until it expires', async () => {
      const { storage } = await setUp();
      await storage.write('a b/ü?#%', source('content'));
      const lent = await fetch(await storage.temporaryUrl('a b/ü?#%', request(60_000)));
      expect([lent.status, await lent.text()]).toEqual([200, 'content']);
      expect(lent.headers.get('content-type')).toBe('application/pdf');
      expect(lent.headers.get('content-disposition')).toBe(
        `attachment; filename="Ubersicht \\"1\\".pdf"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.pdf`,
      );
      const expired = await fetch(await storage.temporaryUrl('a b/ü?#%', request(-60_000)));
      expect(expired.status).toBe(403);
    });

    it('lends it for reading alone, and that file alone', async () => {
      const { storage } = await setUp();
      await storage.write('lent', source('content'));
      await storage.write('kept', source('secret'));
      const url = await storage.temporaryUrl('lent', request(60_000));
      const removal = await fetch(url, { method: 'DELETE' });
      const other = await fetch(url.replace('/lent?', '/kept?'));
      expect([removal.status, other.status]).toEqual([403, 403]);
      expect(await storage.exists('lent')).toBe(true);
    });

    it('has temporary addresses only with a shared key, and public ones only where one is configured', async () => {
      const container = await newContainer('blob');
      const shared = azureStorage({ container });
      const sas = azureStorage({ container: await withSas(container) });
      const open = azureStorage({ container, prefix: 'app/', publicBaseUrl: `${container.url}/` });
      const can = (storage: Storage) => [storage.can('temporaryUrl'), storage.can('publicUrl')];
      expect([can(shared), can(sas), can(open)]).toEqual([
        [true, false],
        [false, false],
        [true, true],
      ]);
      await open.write('a b/ü?#%', source('content'));
      expect(await (await fetch(await open.publicUrl('a b/ü?#%'))).text()).toBe('content');
    });
  });

  describe('the place', () => {
    it('creates its mark where the answer is lost', async () => {
      const { storage, wire } = await setUp();
      wire.disturb(once(/^PUT .*mark$/, 'answer'));
      expect(await storage.markPlace?.create('mine')).toBe(true);
      expect(await storage.markPlace?.create('other')).toBe(false);
    });

    it('says which container is missing, of which account, and what to do', async () => {
      const container = service().getContainerClient('not-there');
      const storage = azureStorage({ container });
      await expect(storage.connect()).rejects.toMatchObject({
        code: 'FILES_STORAGE_OPTION_INVALID',
        message: expect.stringMatching(/\/not-there\/".*create "not-there" in the account "devstoreaccount1"/),
      });
    });

    it('names the permission that a client lacks, and shows no SAS', async () => {
      const container = await newContainer();
      const blind = azureStorage({ container: await withSas(container, 'rcwd') });
      const error = await blind.connect().catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'FILES_STORAGE_OPTION_INVALID' });
      expect((error as Error).message).toMatch(/Storage Blob Data Contributor.*Azure answered Authorization/);
      expect((error as Error).message).not.toContain('sig=');
      expect(blind.markPlace?.place).not.toContain('sig=');
    });

    it('says where it could not connect to', async () => {
      const container = new Container('http://127.0.0.1:9/account/files', undefined, { retryOptions: { maxTries: 1 } });
      await expect(azureStorage({ container }).connect()).rejects.toMatchObject({
        code: 'FILES_STORAGE_FAILED',
        message: expect.stringContaining('http://127.0.0.1:9/account/files/'),
      });
    });
  });
});
