import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { LocationTakenError } from 'nestjs-files/errors';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import type { S3Fate, S3Request } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const MIB = 1024 * 1024;
const PART = 5 * MIB;

/** So many bytes in chunks of 64 KiB, of which no two parts are alike. */
function content(size: number, seed = 0): Readable {
  return Readable.from(bytes(size, seed), { objectMode: false });
}

function* bytes(size: number, seed: number): Generator<Buffer> {
  for (let at = 0; at < size; at += 65_536) {
    const chunk = Buffer.alloc(Math.min(65_536, size - at), seed);
    if (chunk.length >= 4) chunk.writeUInt32BE(at, 0);
    yield chunk;
  }
}

const all = (size: number, seed = 0): Promise<Buffer> => buffer(content(size, seed));

async function behindProxy(options: { conditionalWrites?: boolean } = {}) {
  const proxy = await s3Proxy(options.conditionalWrites === false ? withoutConditions : undefined);
  const client = { ...s3Config(), endpoint: proxy.endpoint };
  return { proxy, ...(await newS3Storage({ client, partSize: PART, ...options })) };
}

/** This fate for the first request that matches, and none for the others. */
function once(pattern: RegExp, fate: S3Fate): (request: S3Request) => S3Fate | undefined {
  let isDone = false;
  return ({ text: seen }) => {
    if (isDone || !pattern.test(seen)) return undefined;
    isDone = true;
    return fate;
  };
}

const CREATE = /^POST .*[?&]uploads/;
const PART_SENT = /^PUT .*partNumber=/;
const COMPLETE = /^POST .*uploadId=/;
const ABORT = /^DELETE .*uploadId=/;
const PUT = /^PUT [^?]*$/;

describe('a write to s3Storage', () => {
  it('is one request for a small file, also where the storage is marked', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.markPlace?.create('mine');
    storage.expectMark('mine');
    await storage.write('first', content(100));
    const before = proxy.requests.length;
    await storage.write('second', content(100));
    expect(proxy.requests.slice(before).map(({ text: one }) => one.split(' ')[0])).toEqual(['PUT']);
  });

  it('sends a file of one part in one request, and a larger one in parts', async () => {
    const { proxy, storage } = await behindProxy();
    for (const [size, wanted] of [
      [PART, { PUT: 1, parts: 0 }],
      [PART + 1, { PUT: 1, parts: 2 }],
      [2 * PART, { PUT: 1, parts: 2 }],
    ] as const) {
      const before = proxy.requests.length;
      await storage.write(`of ${size}`, content(size));
      const seen = proxy.requests.slice(before).map(({ text: one }) => one);
      const count = (pattern: RegExp): number => seen.filter((one) => pattern.test(one)).length;
      expect({ PUT: count(PUT), parts: count(PART_SENT) }, String(size)).toEqual(wanted);
      expect((await buffer(await storage.read(`of ${size}`))).equals(await all(size))).toBe(true);
    }
  });

  it('keeps two parts in memory, not the file', async () => {
    const { storage } = await newS3Storage({ partSize: PART });
    await storage.write('warm-up', content(3 * PART));
    const before = process.memoryUsage.rss();
    let most = 0;
    const watched = function* () {
      for (const chunk of bytes(256 * MIB, 1)) {
        most = Math.max(most, process.memoryUsage.rss() - before);
        yield chunk;
      }
    };
    await storage.write('large', Readable.from(watched(), { objectMode: false }));
    expect((await storage.stat('large'))?.size).toBe(256 * MIB);
    expect(most / MIB).toBeLessThan(128);
    await storage.removeAll(['warm-up', 'large']);
  });

  it.each([
    ['small', 1000],
    ['large', PART + 1000],
  ])('lets one of eight at once win, of %s files', async (_what, size) => {
    const { storage, inside } = await newS3Storage({ partSize: PART });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, seed) => storage.write('raced', content(size, seed))),
    );
    const winners = outcomes.flatMap(({ status }, seed) => (status === 'fulfilled' ? [seed] : []));
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LocationTakenError);
    expect((await buffer(await storage.read('raced'))).equals(await all(size, winners[0]))).toBe(true);
    expect([await inside.keys(), await inside.uploads()]).toEqual([['raced'], []]);
  });

  it('never overwrites, however small and large writes and copies meet', async () => {
    const { storage, inside } = await newS3Storage({ partSize: PART });
    await storage.write('source', content(2000, 99));
    for (let round = 0; round < 5; round++) {
      const to = `met/${round}`;
      const writes = Array.from({ length: 6 }, (_, seed) =>
        storage
          .write(to, content(seed % 2 ? PART + 1000 : 1000, seed))
          .then(() => all(seed % 2 ? PART + 1000 : 1000, seed)),
      );
      const copy = storage.copy('source', to).then(() => all(2000, 99));
      const outcomes = await Promise.allSettled([...writes, copy]);
      const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(winners).toHaveLength(1);
      expect((await buffer(await storage.read(to))).equals(winners[0]!)).toBe(true);
    }
    expect(await inside.uploads()).toEqual([]);
  });

  it('shows nothing at the location before all is there, and lets nobody else write there', async () => {
    const { proxy, storage, inside } = await behindProxy();
    let complete = (): void => {};
    const until = new Promise<void>((resolve) => (complete = resolve));
    proxy.decide = once(COMPLETE, { until });
    const writing = storage.write('slow', content(PART + 1));
    await expect.poll(() => proxy.requests.some(({ text: one }) => COMPLETE.test(one))).toBe(true);

    expect(await inside.keys()).toEqual(['slow']);
    expect(await storage.stat('slow')).toBeUndefined();
    await expect(storage.read('slow')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    await expect(storage.read('slow', { start: 0, end: 9 })).rejects.toMatchObject({
      code: 'FILES_LOCATION_NOT_FOUND',
    });
    await expect(storage.read('slow', { start: 500, end: 509 })).rejects.toMatchObject({
      code: 'FILES_LOCATION_NOT_FOUND',
    });
    await expect(storage.copy('slow', 'copied')).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    for await (const { location } of storage.list()) expect.fail(location);
    await expect(storage.write('slow', content(10))).rejects.toBeInstanceOf(LocationTakenError);
    expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });

    complete();
    await writing;
    expect((await storage.stat('slow'))?.size).toBe(PART + 1);
  });

  it('leaves no parts when the source fails in the middle, and passes its error on', async () => {
    const { storage, inside } = await newS3Storage({ partSize: PART });
    const fault = new Error('the source failed');
    const broken = function* () {
      yield* bytes(2 * PART + 1000, 0);
      throw fault;
    };
    await expect(storage.write('broken', Readable.from(broken()))).rejects.toBe(fault);
    expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
  });

  it('fails at once when a part does, although the source waits, and leaves nothing', async () => {
    const { proxy, storage, inside } = await behindProxy();
    proxy.decide = ({ text: one }) => (PART_SENT.test(one) ? { status: 403, code: 'AccessDenied' } : undefined);
    const source = new Readable({ read() {} });
    for (const chunk of bytes(PART + 1000, 0)) source.push(chunk);
    await expect(storage.write('refused', source)).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      message: expect.stringContaining('403 AccessDenied: as the test says'),
    });
    expect(source.destroyed).toBe(true);
    expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
  });

  it.each([
    ['a part is cut off', PART_SENT, { cut: 'before' }],
    ['the reply to a part is lost', PART_SENT, { cut: 'reply' }],
    ['the claim is cut off', PUT, { cut: 'before' }],
    ['the reply to the claim is lost', PUT, { cut: 'reply' }],
    ['the completion is cut off', COMPLETE, { cut: 'before' }],
    ['the reply to the completion is lost', COMPLETE, { cut: 'reply' }],
    ['the server is busy at the completion', COMPLETE, { status: 503, code: 'SlowDown' }],
    ['another request gets in the way of the claim', PUT, { status: 409, code: 'ConditionalRequestConflict' }],
  ] as [string, RegExp, S3Fate][])('succeeds although %s', async (_what, pattern, fate) => {
    const { proxy, storage, inside } = await behindProxy();
    proxy.decide = once(pattern, fate);
    await storage.write('file', content(PART + 1000));
    expect((await buffer(await storage.read('file'))).equals(await all(PART + 1000))).toBe(true);
    expect([await inside.keys(), await inside.uploads()]).toEqual([['file'], []]);
  });

  it.each([
    ['the reply is lost', { cut: 'reply' }],
    ['it is cut off', { cut: 'before' }],
    ['another request gets in its way', { status: 409, code: 'ConditionalRequestConflict' }],
  ] as [string, S3Fate][])('succeeds with a small file although %s', async (_what, fate) => {
    const { proxy, storage } = await behindProxy();
    proxy.decide = once(PUT, fate);
    await storage.write('file', Readable.from([Buffer.from('content')]));
    expect(await text(await storage.read('file'))).toBe('content');
  });

  it.each([true, false])(
    'succeeds where every reply to it is lost, with conditionalWrites %s',
    async (conditionalWrites) => {
      const { proxy, storage, inside } = await behindProxy({ conditionalWrites });
      const { decide } = proxy;
      proxy.decide = (request) =>
        decide(request) ?? (PUT.test(request.text) || COMPLETE.test(request.text) ? { cut: 'reply' } : undefined);
      await storage.write('large', content(PART + 1000));
      expect((await buffer(await storage.read('large'))).equals(await all(PART + 1000))).toBe(true);
      expect([await inside.keys(), await inside.uploads()]).toEqual([['large'], []]);
    },
  );

  it('fails where it cannot be completed, and leaves the location free', async () => {
    const { proxy, storage, inside } = await behindProxy();
    proxy.decide = ({ text: one }) => (COMPLETE.test(one) ? { cut: 'before' } : undefined);
    await expect(storage.write('file', content(PART + 1000))).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
    expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
    proxy.decide = () => undefined;
    await storage.write('file', content(PART + 1000));
  });

  it('fails with what went wrong where the server is gone, and what it leaves is swept', async () => {
    const { proxy, storage, inside } = await behindProxy();
    let isGone = false;
    proxy.decide = ({ text: one }) => {
      isGone ||= COMPLETE.test(one);
      return isGone ? { cut: 'before' } : undefined;
    };
    await expect(storage.write('file', content(PART + 1000))).rejects.toMatchObject({
      code: 'FILES_STORAGE_FAILED',
      message: expect.stringContaining('failed to write "file"'),
    });
    proxy.decide = () => undefined;
    expect([await inside.keys(), await inside.uploads()]).toEqual([['file'], ['file']]);
    expect(await storage.removeLeftovers(new Date(Date.now() + 60_000))).toEqual({ count: 1, size: PART + 1000 });
    expect([await inside.keys(), await inside.uploads()]).toEqual([[], []]);
  });

  it('says that the location is taken before it asks for more than a part', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('taken', content(10));
    const before = proxy.requests.length;
    let read = 0;
    const source = Readable.from(
      (function* () {
        for (const chunk of bytes(10 * PART, 0)) {
          read += chunk.length;
          yield chunk;
        }
      })(),
      { objectMode: false },
    );
    await expect(storage.write('taken', source)).rejects.toBeInstanceOf(LocationTakenError);
    expect(proxy.requests.slice(before).map(({ text: one }) => one.split(' ')[0])).toEqual(['HEAD']);
    expect(read).toBeLessThan(2 * PART);
  });

  it.each([1000, PART + 1000])('sees with %i bytes, without conditions, that another came first', async (size) => {
    const { storage, inside } = await behindProxy({ conditionalWrites: false });
    const other = await newS3Storage({ prefix: inside.prefix });
    let isOpen = true;
    const source = new Readable({
      read() {
        if (!isOpen) return;
        isOpen = false;
        void other.storage.write('raced', content(20, 7)).then(() => {
          for (const chunk of bytes(size, 0)) this.push(chunk);
          this.push(null);
        });
      },
    });
    await expect(storage.write('raced', source)).rejects.toBeInstanceOf(LocationTakenError);
    expect((await buffer(await storage.read('raced'))).equals(await all(20, 7))).toBe(true);
    expect(await inside.uploads()).toEqual([]);
  });
});

describe('a copy in s3Storage', () => {
  it('is made in parts where it is large, and is the same', async () => {
    const { proxy, storage, inside } = await behindProxy();
    const size = 16 * PART + 4321;
    await storage.write('large', content(size));
    const before = proxy.requests.length;
    await storage.copy('large', 'copied');
    const parts = proxy.requests.slice(before).filter(({ text: one }) => PART_SENT.test(one));
    expect(parts.map(({ headers }) => headers['x-amz-copy-source-range'])).toEqual([
      `bytes=0-${16 * PART - 1}`,
      `bytes=${16 * PART}-${size - 1}`,
    ]);
    const [one, other] = [await storage.read('large'), await storage.read('copied')];
    expect((await buffer(one)).equals(await buffer(other))).toBe(true);
    expect(await inside.uploads()).toEqual([]);
    await storage.removeAll(['large', 'copied']);
  });

  it('is made of an empty file, and of locations with special characters', async () => {
    const { storage } = await newS3Storage();
    await storage.write('100 sure', Readable.from([Buffer.from('another')]));
    for (const location of ['empty', '100%20sure', 'ä +%20&?#.pdf', '日本 🗂️']) {
      await storage.write(location, Readable.from([Buffer.from(location === 'empty' ? '' : location)]));
      await storage.copy(location, `copies/${location}`);
      await storage.move(`copies/${location}`, `moved/${location}`);
      expect(await text(await storage.read(`moved/${location}`))).toBe(location === 'empty' ? '' : location);
      expect(await storage.exists(`copies/${location}`)).toBe(false);
    }
  });

  it('keeps the original where a move fails', async () => {
    const { proxy, storage } = await behindProxy();
    await storage.write('here', content(1000));
    proxy.decide = ({ text: one }) =>
      one.startsWith('DELETE') && !ABORT.test(one) ? { status: 403, code: 'AccessDenied' } : undefined;
    await expect(storage.move('here', 'there')).rejects.toThrow('403 AccessDenied');
    expect(await storage.exists('here')).toBe(true);
    proxy.decide = once(CREATE, { status: 403, code: 'AccessDenied' });
    await expect(storage.move('here', 'elsewhere')).rejects.toThrow('403 AccessDenied');
    expect([await storage.exists('here'), await storage.exists('elsewhere')]).toEqual([true, false]);
  });
});
