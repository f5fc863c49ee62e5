import { createHash } from 'node:crypto';
import { setImmediate as tick } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { storeContent } from '../../../lib/files/content/store-content.js';
import type { StorageLimits } from '../../../lib/storage/storage-limits.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { DOCX_TYPES, pdf, png, zip } from '../../support/files-samples.js';

const MiB = 1024 * 1024;

function disk(limits: StorageLimits = {}) {
  const root = newDirectory();
  return { root, storage: fsStorage({ root, fsync: false, ...limits }) };
}

/** Gives chunks one by one and counts how many were asked for. */
function counted(chunk: Buffer, count: number) {
  const source = Object.assign(new Readable({ highWaterMark: chunk.length, read: next }), { given: 0 });
  function next() {
    source.push(source.given++ < count ? chunk : null);
  }
  return source;
}

describe('storeContent', () => {
  it('stores the bytes and tells their size, hash and type', async () => {
    const { storage } = disk();
    const bytes = Buffer.concat([pdf, Buffer.alloc(3 * MiB, 'content')]);
    const stored = await storeContent(Readable.from([bytes]), storage, { name: 'x' });
    expect(stored).toMatchObject({ size: bytes.length, contentType: 'application/pdf', hashAlgorithm: 'sha256' });
    expect(stored.hash).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect((await buffer(await storage.read(stored.location))).equals(bytes)).toBe(true);
  });

  it('stores nothing as nothing, and single bytes as they come', async () => {
    const storage = memoryStorage();
    expect(await storeContent(Readable.from([]), storage, { name: 'x' })).toMatchObject({
      size: 0,
      contentType: 'text/plain',
    });
    const bytes = Buffer.alloc(10_000, 'abc');
    const one = await storeContent(Readable.from([...bytes].map((byte) => Buffer.from([byte]))), storage, {
      name: 'x',
    });
    expect((await buffer(await storage.read(one.location))).equals(bytes)).toBe(true);
  });

  it('looks further into a zip to tell a docx', async () => {
    const docx = zip({
      'word/media/image.bin': 'x'.repeat(9000),
      '[Content_Types].xml': DOCX_TYPES,
      'word/document.xml': '<x/>',
    });
    const pieces = Array.from({ length: Math.ceil(docx.length / 1000) }, (_, at) =>
      docx.subarray(at * 1000, (at + 1) * 1000),
    );
    const { contentType, size } = await storeContent(Readable.from(pieces), memoryStorage(), { name: 'x' });
    expect(contentType).toBe('application/vnd.openxmlformats-officedocument.wordprocessingml.document');
    expect(size).toBe(docx.length);
  });

  it('hashes with the algorithm of the storage', async () => {
    const stored = await storeContent(Readable.from(['abc']), memoryStorage({ hashAlgorithm: 'sha512' }), {
      name: 'x',
    });
    expect(stored.hash).toBe(createHash('sha512').update('abc').digest('hex'));
    expect(stored.hashAlgorithm).toBe('sha512');
  });

  it('takes a file of exactly the limit and stops at the first byte more', async () => {
    const { root, storage } = disk({ maxSize: MiB });
    await storeContent(Readable.from([Buffer.alloc(MiB)]), storage, { name: 'x' });
    const before = await filesBelow(root);
    const source = counted(Buffer.alloc(64 * 1024), 10_000);
    await expect(storeContent(source, storage, { name: 'x' })).rejects.toMatchObject({
      code: 'FILES_FILE_TOO_LARGE',
      maxSize: MiB,
    });
    expect(source.destroyed).toBe(true);
    expect(source.given).toBeLessThan(25);
    expect(await filesBelow(root)).toEqual(before);
  });

  it('refuses a type as soon as it is known, before anything is stored', async () => {
    const { root, storage } = disk({ acceptedTypes: ['application/pdf', 'text'] });
    const source = counted(Buffer.concat([png, Buffer.alloc(64 * 1024)]), 10_000);
    const refused = storeContent(source, storage, { name: 'x.pdf', contentType: 'application/pdf' });
    await expect(refused).rejects.toMatchObject({ code: 'FILES_FILE_TYPE_NOT_ACCEPTED', contentType: 'image/png' });
    expect(source.given).toBeLessThan(5);
    expect(source.destroyed).toBe(true);
    expect(await filesBelow(root)).toEqual([]);
    await storeContent(Readable.from(['a,b']), storage, { name: 'x', contentType: 'text/csv' });
  });

  it.each([
    ['within the head', 100],
    ['behind the head', 3 * MiB],
  ])('leaves nothing when the source fails %s, and passes its error on', async (_, size) => {
    const { root, storage } = disk();
    const fault = new Error('the client went away');
    async function* failing() {
      yield Buffer.alloc(size);
      throw fault;
    }
    await expect(storeContent(Readable.from(failing()), storage, { name: 'x' })).rejects.toBe(fault);
    expect(await filesBelow(root)).toEqual([]);
  });

  it.each([
    ['with an error', new Error('aborted')],
    ['without one', undefined],
  ])('leaves nothing when the source is destroyed %s', async (_, fault) => {
    const { root, storage } = disk();
    const source = new Readable({ read() {} });
    source.push(Buffer.alloc(MiB));
    const uploading = storeContent(source, storage, { name: 'x' });
    await expect.poll(() => filesBelow(root)).toHaveLength(1);
    source.destroy(fault);
    await expect(uploading).rejects.toThrow(fault?.message ?? 'Premature close');
    expect(await filesBelow(root)).toEqual([]);
  });

  it('fails alone where the source fails before the storage reads, and reads nothing ahead', async () => {
    const storage = memoryStorage();
    const fault = new Error('the client went away');
    const source = new Readable({ read() {} });
    source.push(Buffer.alloc(MiB));
    const write = storage.write.bind(storage);
    storage.write = async (location, content) => {
      source.destroy(fault);
      await new Promise((resolve) => setImmediate(resolve));
      await write(location, content);
    };
    await expect(storeContent(source, storage, { name: 'x' })).rejects.toBe(fault);
  });

  it('fails for a source that was destroyed before', async () => {
    const source = new Readable({ read() {} });
    source.destroy(new Error('too late'));
    source.on('error', () => {});
    await tick();
    await expect(storeContent(source, memoryStorage(), { name: 'x' })).rejects.toThrow('too late');
  });

  it('asks for no more than a slow storage takes', async () => {
    const storage = memoryStorage();
    let release: () => void = () => {};
    const blocked = new Promise<void>((resolve) => (release = resolve));
    const write = storage.write.bind(storage);
    storage.write = async (location, content) => {
      await blocked;
      await write(location, content);
    };
    const source = counted(Buffer.alloc(64 * 1024), 1000);
    const uploading = storeContent(source, storage, { name: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(source.given).toBeLessThan(20);
    release();
    expect((await uploading).size).toBe(1000 * 64 * 1024);
  });

  it('holds no more of a large file than of a small one', async () => {
    const { storage } = disk({ maxSize: Infinity });
    await storeContent(counted(Buffer.alloc(64 * 1024), 160), storage, { name: 'warm' });
    let peak = 0;
    const before = process.memoryUsage().arrayBuffers;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)), 5);
    async function* fresh() {
      for (let at = 0; at < 4096; at++) yield Buffer.allocUnsafeSlow(64 * 1024);
    }
    const { size } = await storeContent(Readable.from(fresh()), storage, { name: 'large' });
    clearInterval(timer);
    expect(size).toBe(256 * MiB);
    expect(peak).toBeLessThan(128 * MiB);
  });
});
