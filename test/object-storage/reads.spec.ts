import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { s3Storage } from 'nestjs-files/storage/s3';
import { s3Proxy } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const MIB = 1024 * 1024;

const source = (content: string | Buffer): Readable => Readable.from([Buffer.from(content)]);

async function listed(found: AsyncIterable<{ location: string }>): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of found) locations.push(location);
  return locations.sort();
}

async function behindProxy() {
  const proxy = await s3Proxy();
  return { proxy, ...(await newS3Storage({ client: { ...s3Config(), endpoint: proxy.endpoint } })) };
}

describe('a read from s3Storage', () => {
  it('gives no bytes for a range behind the end, also of an empty file', async () => {
    const { storage } = await newS3Storage();
    await storage.write('ten', source('0123456789'));
    await storage.write('empty', source(''));
    expect(await text(await storage.read('ten', { start: 8, end: 20 }))).toBe('89');
    expect(await text(await storage.read('ten', { start: 10, end: 20 }))).toBe('');
    expect(await text(await storage.read('empty', { start: 0, end: 20 }))).toBe('');
    expect(await text(await storage.read('empty'))).toBe('');
  });

  it('frees its connection when the stream is destroyed', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('large', source(Buffer.alloc(20 * MIB)));
    const streams = await Promise.all(Array.from({ length: 10 }, () => storage.read('large')));
    expect(proxy.connections).toBeGreaterThanOrEqual(10);
    for (const stream of streams) stream.destroy();
    await expect.poll(() => proxy.connections).toBeLessThanOrEqual(1);
  });

  it('goes on beside many others that stand still', async () => {
    const { storage } = await newS3Storage();
    await storage.write('large', source(Buffer.alloc(4 * MIB)));
    await storage.write('small', source('content'));
    const streams = await Promise.all(Array.from({ length: 60 }, () => storage.read('large')));
    expect(await text(await storage.read('small'))).toBe('content');
    for (const stream of streams) stream.destroy();
  });

  it('fails where the connection breaks in the middle', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('large', source(Buffer.alloc(4 * MIB)));
    proxy.decide = () => ({ cut: MIB });
    const stream = await storage.read('large');
    let length = 0;
    const reading = (async () => {
      for await (const chunk of stream) length += (chunk as Buffer).length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(length).toBeLessThanOrEqual(MIB);
  });

  it('says what the server answered', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('file', source('content'));
    proxy.decide = () => ({ status: 403, code: 'AccessDenied' });
    await expect(storage.read('file')).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      message: expect.stringContaining('failed to read "file": the server answered 403 AccessDenied: as the test says'),
    });
    await expect(storage.stat('file')).rejects.toThrow('failed to stat "file": the server answered 403');
  });

  it('tells a missing bucket from a missing file', async () => {
    const storage = s3Storage({ client: s3Config(), bucket: 'nestjs-files-no-such-bucket' });
    await expect(storage.read('file')).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      message: expect.stringContaining('404 NoSuchBucket'),
    });
    await expect(storage.markPlace?.read()).rejects.toThrow('404 NoSuchBucket');
  });
});

describe('a list of s3Storage', () => {
  it('goes on after a thousand, and so does a removal', async () => {
    const { storage, client, bucket, inside } = await newS3Storage();
    const names = Array.from({ length: 1005 }, (_, at) => `many/${String(at).padStart(4, '0')}`);
    for (let at = 0; at < names.length; at += 50)
      await Promise.all(
        names
          .slice(at, at + 50)
          .map((name) =>
            client.send(new PutObjectCommand({ Bucket: bucket, Key: inside.prefix + name, Body: Buffer.from(name) })),
          ),
      );
    expect(await listed(storage.list('many'))).toEqual(names);
    expect(await listed(storage.list('man'))).toEqual([]);
    await storage.removeAll([...names, 'many/none']);
    expect(await listed(storage.list())).toEqual([]);
  });

  it('gives locations as they were written', async () => {
    const { storage } = await newS3Storage();
    const locations = ['a b', 'a+b', 'a%20b', 'a&b<c>"d\'', 'ümläut', '日本語', '🗂️', '~!*()', 'a?b#c'];
    for (const location of locations) await storage.write(location, source(location));
    expect(await listed(storage.list())).toEqual(locations.toSorted());
    await storage.removeAll(locations);
    expect(await listed(storage.list())).toEqual([]);
  });

  it('leaves out objects that are no files, and keeps files of the same size', async () => {
    const { storage, client, bucket, inside } = await newS3Storage();
    await storage.markPlace?.create('mark');
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${inside.prefix}folder/`, Body: Buffer.alloc(0) }));
    const claim = Buffer.alloc(74, 'x');
    await storage.write('folder/file', source(claim));
    expect(await listed(storage.list())).toEqual(['folder/file']);
    expect(await listed(storage.list('folder'))).toEqual(['folder/file']);
  });

  it('ends at the prefix, and files of others beside it stay', async () => {
    const { storage, client, bucket, inside } = await newS3Storage();
    const neighbour = `${inside.prefix.slice(0, -1)}-neighbour`;
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: neighbour, Body: 'content' }));
    await storage.write('file', source('content'));
    expect(await listed(storage.list())).toEqual(['file']);
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: neighbour }));
  });
});

describe('a removal from s3Storage', () => {
  it('falls back to single removals where the server has no other', async () => {
    const { proxy, storage } = await behindProxy();
    for (const name of ['a', 'b', 'c']) await storage.write(name, source(name));
    proxy.decide = ({ text: one }) => (/\?delete/.test(one) ? { status: 400, code: 'InvalidRequest' } : undefined);
    await storage.removeAll(['a', 'none', 'b']);
    await storage.removeAll(['c']);
    expect(await listed(storage.list())).toEqual([]);
    expect(proxy.requests.filter(({ text: one }) => /\?delete/.test(one))).toHaveLength(1);
  });

  it('says what was not removed', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('a', source('a'));
    proxy.decide = () => ({ status: 403, code: 'AccessDenied' });
    await expect(storage.removeAll(['a'])).rejects.toThrow('403 AccessDenied');
    proxy.decide = () => undefined;
    expect(await buffer(await storage.read('a'))).toHaveLength(1);
  });
});

describe('temporary addresses of s3Storage', () => {
  const asked = { disposition: 'attachment', name: 'Übersicht 2026.pdf', contentType: 'application/pdf' } as const;

  it('open the file with its name and type until they expire', async () => {
    const { storage } = await newS3Storage();
    await storage.write('ab/cd +ü', source('content'));
    const url = await storage.temporaryUrl('ab/cd +ü', { ...asked, expiresAt: new Date(Date.now() + 60_000) });
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/pdf');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="Ubersicht 2026.pdf"; filename*=UTF-8''%C3%9Cbersicht%202026.pdf`,
    );
    expect(await response.text()).toBe('content');
  });

  it('open nothing once they have expired, or are changed', async () => {
    const { storage } = await newS3Storage();
    await storage.write('file', source('content'));
    const expiresAt = new Date(Date.now() + 1200);
    const url = await storage.temporaryUrl('file', { ...asked, expiresAt });
    await expect.poll(async () => (await fetch(url)).status, { timeout: 5000 }).toBe(403);
    const other = await storage.temporaryUrl('file', { ...asked, expiresAt: new Date(Date.now() + 60_000) });
    expect((await fetch(other.replace('Ubersicht', 'Other'))).status).toBe(403);
  });
});
