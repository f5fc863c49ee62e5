import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import {
  begin,
  contentOf,
  describeDirectUploads,
  finish,
  partsOf,
  send,
  sign,
} from '../support/direct-upload-suite.js';
import { once } from '../support/wire.js';
import { GCS, namesIn, newWorld } from './server.js';

const PREFIX = 'app/';
const ARRIVALS = `${PREFIX}.nestjs-files/uploads/`;

async function setUp() {
  const world = await newWorld();
  const { bucket, direct } = world;
  const storage = gcsStorage({ bucket, prefix: PREFIX });
  await storage.connect();
  const served = async (location: string) => {
    const [{ contentType, cacheControl }] = await direct.file(PREFIX + location).getMetadata();
    return [contentType, cacheControl];
  };
  const unfinished = async () => (await namesIn(direct)).filter((name) => name.startsWith(ARRIVALS));
  return { ...world, storage, served, unfinished };
}

describe.skipIf(!GCS)('Google Cloud Storage', () => {
  describeDirectUploads('a bucket', setUp);

  describe('a client that has a signed address', () => {
    it('can send no other length, and no other header that is signed', async () => {
      const { storage } = await setUp();
      const upload = await begin(storage, 5);
      const { put } = await send(storage, upload, 1, Buffer.from('12345'));
      for (const body of ['1234', '123456', '']) expect(await put(body)).toBe(400);
      expect(await put('123456', { 'x-goog-content-length-range': '0,9' })).toBe(403);
      expect(await partsOf(storage, upload)).toMatchObject([{ number: 1, size: 5 }]);
    });

    it('can do nothing but write with it, and nowhere else', async () => {
      const { storage } = await setUp();
      await storage.write('other', Readable.from(['other']));
      const upload = await begin(storage, 5);
      const { url, headers } = await sign(storage, upload, 1, 5);
      const elsewhere = (location: string) => url.replace(/\/app\/[^?]*/, `/app/${location}`);
      const answers = await Promise.all([
        fetch(url, { headers }),
        fetch(url, { method: 'DELETE', headers }),
        ...['other', 'file'].map((to) => fetch(elsewhere(to), { method: 'PUT', headers, body: 'wrong' })),
        fetch(url, { method: 'PUT', body: 'wrong' }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
      expect([await storage.exists('file'), await storage.stat('other')]).toMatchObject([false, { size: 5 }]);
    });

    it('gets nothing into the file that it sends while that is made', async () => {
      const { storage, wire } = await setUp();
      const upload = await begin(storage, 5);
      const { put } = await send(storage, upload, 1, Buffer.from('first'));
      const parts = await partsOf(storage, upload);
      wire.disturb(once(/compose/, 'hold'));
      const finishing = finish(storage, upload, parts);
      await expect.poll(() => wire.held).toBe(1);
      expect(await put('other')).toBe(200);
      wire.letGo();
      await expect(finishing).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect(await storage.exists('file')).toBe(false);
      await finish(storage, upload);
      expect(await contentOf(storage)).toBe('other');
    });
  });

  it('does not tell of what clients send, and has no file there', async () => {
    const { storage } = await setUp();
    const upload = await begin(storage, 1);
    await send(storage, upload, 1, Buffer.from('x'));
    const locations: string[] = [];
    for await (const { location } of storage.list()) locations.push(location);
    for await (const { location } of storage.list('.nestjs-files')) locations.push(location);
    expect(locations).toEqual([]);
    for (const directory of ['uploads', 'appended']) {
      const inside = storage.write(`.nestjs-files/${directory}/x`, Readable.from(['x']));
      await expect(inside).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
    }
  });

  it('joins more parts than Google composes at once, and leaves nothing of the groups', async () => {
    const { front, direct, storage, unfinished } = await setUp();
    const upload = await begin(storage, 1100);
    const bytes = randomBytes(1100);
    const [directory = ''] = new URL((await sign(storage, upload, 1, 1)).url).pathname
      .split('/')
      .slice(2, -1)
      .join('/')
      .split('?');
    for (let number = 1; number <= 1100; number++)
      await front.objects.emulator.store(direct.name, `${directory}/${number}`, bytes.subarray(number - 1, number), {});
    await finish(storage, upload);
    expect((await buffer(await storage.read('file'))).equals(bytes)).toBe(true);
    expect(await unfinished()).toEqual([]);
  });

  it('goes on with an upload whose completion was cut off, wherever that was', async () => {
    const { storage, unfinished, wire } = await setUp();
    const steps = [/^GET .*file(\?|$)/, /compose/, /^GET .*prefix=/, /^DELETE/];
    for (const step of steps)
      for (const how of ['request', 'answer'] as const) {
        wire.disturb(() => undefined);
        const upload = await begin(storage, 5);
        await send(storage, upload, 1, Buffer.from('first'));
        const parts = await partsOf(storage, upload);
        wire.disturb(once(step, how));
        await finish(storage, upload, parts);
        expect([await contentOf(storage), await unfinished()], `${step} ${how}`).toEqual(['first', []]);
        await storage.remove('file');
      }
  });

  it('removes only the remains of old uploads that nobody knows of', async () => {
    const { storage, unfinished } = await setUp();
    const upload = await begin(storage, 5);
    await send(storage, upload, 1, Buffer.from('first'));
    expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });
    expect(await storage.removeLeftovers(new Date(Date.now() + 60_000))).toEqual({ count: 1, size: 5 });
    expect(await unfinished()).toEqual([]);
  });

  it('takes larger parts where the usual ones would be too many', async () => {
    const { storage } = await setUp();
    expect(await begin(storage, 2048 * 8 * 1024 * 1024)).toMatchObject({ partSize: 2 * 8 * 1024 * 1024 });
  });
});
