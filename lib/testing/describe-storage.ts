import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  CapabilityMissingError,
  LocationInvalidError,
  LocationNotFoundError,
  LocationTakenError,
} from '../errors/storage.errors.js';
import { ContentSpentError } from '../errors/files.errors.js';
import { RangeInvalidError } from '../errors/requests.errors.js';
import { Capability } from '../storage/capability.js';
import type { StorageLimits } from '../storage/storage-limits.js';
import type { Storage } from '../storage/storage.js';
import { testFramework } from './test-framework.js';
import type { TestFramework } from './test-framework.js';

type Operation = (storage: Storage) => Promise<unknown>;

const OPERATIONS: readonly (readonly [Capability, Operation])[] = [
  [Capability.CREATE, (storage) => storage.write('x', source('x'))],
  [Capability.STREAM, (storage) => storage.read('x')],
  [Capability.RANGE, (storage) => storage.read('x', { start: 0, end: 0 })],
  [Capability.COPY, (storage) => storage.copy('x', 'y')],
  [Capability.MOVE, (storage) => storage.move('x', 'y')],
  [Capability.REMOVE, (storage) => storage.remove('x')],
  [Capability.EXISTS, (storage) => storage.exists('x')],
  [Capability.SCAN, (storage) => scanned(storage)],
  [Capability.LINK_PERMANENT, (storage) => storage.permanentLink('x')],
];

/** Makes an empty storage with these limits. It is called for every test. */
export type StorageFactory = (limits: StorageLimits) => Storage | Promise<Storage>;

const LARGE = Buffer.alloc(3 * 1024 * 1024 + 17, 'nestjs-files ');
const SPECIAL = [' #?%&+=\'"', 'документ.pdf', '日本語', 'emoji 🗂️', '.hidden', '..dots..', 'a'.repeat(200)];
const OUTSIDE = ['../x', 'a/../../x', '/x', 'a//b', './x', 'a/..', '..', '.', '', 'a\\..\\..\\x', 'a\0b'];

/**
 * What every storage has to keep, as tests: `describeStorage('fs', (limits) => fsStorage({ root: newDirectory(), ...limits }), { describe,
 * it })`. Tests of a capability that the storage does not have pass without doing anything.
 */
export function describeStorage(name: string, factory: StorageFactory, framework?: TestFramework): void {
  const { describe, it } = testFramework(framework);
  const test = (title: string, run: (storage: Storage) => Promise<void>, needs = Capability.NONE) =>
    it(title, async () => {
      const storage = await factory({});
      await storage.prepare();
      if (storage.supports(Capability.CREATE | Capability.STREAM | needs)) await run(storage);
    });

  describe(`storage contract: ${name}`, () => {
    test('gives back the content unmodified', async (storage) => {
      await storage.write('large', source(LARGE));
      assert.ok((await contentOf(storage, 'large')).equals(LARGE));
    });

    test('stores an empty file', async (storage) => {
      await storage.write('empty', source());
      assert.equal((await contentOf(storage, 'empty')).length, 0);
    });

    test('stores the chunks of a source in their order', async (storage) => {
      await storage.write('chunks', source(...Array.from({ length: 1000 }, (_, at) => `${at},`)));
      assert.equal(
        String(await contentOf(storage, 'chunks')),
        Array.from({ length: 1000 }, (_, at) => `${at},`).join(''),
      );
    });

    test('does not overwrite', async (storage) => {
      await storage.write('taken', source('first'));
      await assert.rejects(storage.write('taken', source('second')), LocationTakenError);
      assert.equal(String(await contentOf(storage, 'taken')), 'first');
    });

    test('lets exactly one of several concurrent writes win', async (storage) => {
      const texts = ['one', 'two', 'three', 'four', 'five'];
      const outcomes = await Promise.allSettled(texts.map((text) => storage.write('raced', source(text))));
      const winners = texts.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      assert.equal(winners.length, 1);
      assert.equal(String(await contentOf(storage, 'raced')), winners[0]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected')
          assert.ok(outcome.reason instanceof LocationTakenError, String(outcome.reason));
      }
    });

    test('makes nested directories', async (storage) => {
      await Promise.all(['a/b/c/1', 'a/b/c/2', 'a/b/3'].map((location) => storage.write(location, source(location))));
      assert.equal(String(await contentOf(storage, 'a/b/c/2')), 'a/b/c/2');
      assert.equal(String(await contentOf(storage, 'a/b/3')), 'a/b/3');
    });

    test('keeps locations with special characters apart', async (storage) => {
      for (const location of SPECIAL) await storage.write(`s/${location}`, source(location));
      for (const location of SPECIAL) assert.equal(String(await contentOf(storage, `s/${location}`)), location);
    });

    for (const location of OUTSIDE) {
      test(`refuses the location ${JSON.stringify(location)}`, async (storage) => {
        await assert.rejects(storage.write(location, source('x')), LocationInvalidError);
        await assert.rejects(storage.read(location), LocationInvalidError);
        if (storage.supports(Capability.REMOVE)) await assert.rejects(storage.remove(location), LocationInvalidError);
        if (storage.supports(Capability.EXISTS)) await assert.rejects(storage.exists(location), LocationInvalidError);
      });
    }

    test('says that nothing is at a location before the first byte is read', async (storage) => {
      await assert.rejects(storage.read('missing'), LocationNotFoundError);
      await assert.rejects(storage.read('no/such/directory'), LocationNotFoundError);
    });

    test('gives each reader separate bytes', async (storage) => {
      await storage.write('own', source('content'));
      for await (const chunk of await storage.read('own')) (chunk as Buffer).fill(0);
      assert.equal(String(await contentOf(storage, 'own')), 'content');
    });

    test(
      'reads ranges, both ends included and cut at the end',
      async (storage) => {
        await storage.write('range', source(LARGE));
        const last = LARGE.length - 1;
        for (const [start, end] of [
          [0, 0],
          [5, 9],
          [65_535, 65_536],
          [1_000_000, 2_500_000],
          [last, last],
          [0, last],
          [last - 1, last + 100],
        ] as const) {
          const part = await contentOf(storage, 'range', start, end);
          assert.ok(part.equals(LARGE.subarray(start, end + 1)), `${start}-${end} gave ${part.length} bytes`);
        }
        await assert.rejects(storage.read('range', { start: 5, end: 4 }), RangeInvalidError);
        await assert.rejects(storage.read('range', { start: -1, end: 4 }), RangeInvalidError);
        await assert.rejects(storage.read('range', { start: 0.5, end: 4 }), RangeInvalidError);
        await assert.rejects(storage.read('missing', { start: 0, end: 4 }), LocationNotFoundError);
      },
      Capability.RANGE,
    );

    test(
      'removes an existing location and ignores a missing one',
      async (storage) => {
        await storage.write('d/removed', source('x'));
        await storage.remove('d/removed');
        await assert.rejects(storage.read('d/removed'), LocationNotFoundError);
        await storage.remove('d/removed');
        await storage.remove('no/such/directory');
        await storage.write('d/removed', source('again'));
        assert.equal(String(await contentOf(storage, 'd/removed')), 'again');
      },
      Capability.REMOVE,
    );

    test(
      'removes several locations at once, missing ones included',
      async (storage) => {
        for (const name of ['a', 'b', 'c']) await storage.write(`d/${name}`, source(name));
        await storage.removeAll(['d/a', 'd/none', 'd/c']);
        await assert.rejects(storage.read('d/a'), LocationNotFoundError);
        assert.equal(String(await contentOf(storage, 'd/b')), 'b');
        await assert.rejects(storage.removeAll(['d/b', '../x']), LocationInvalidError);
        await storage.removeAll([]);
        assert.equal(String(await contentOf(storage, 'd/b')), 'b');
        await assert.rejects(storage.read('d/c'), LocationNotFoundError);
      },
      Capability.REMOVE,
    );

    test('keeps a mark where it has a place for one', async (storage) => {
      const { markPlace } = storage;
      if (!markPlace) return;
      assert.equal(await markPlace.read(), undefined);
      const winners = await Promise.all(['one', 'two'].map((mark) => markPlace.create(mark)));
      assert.equal(winners.filter(Boolean).length, 1);
      assert.equal(await markPlace.read(), winners[0] ? 'one' : 'two');
      await markPlace.replace('three');
      assert.deepEqual([await markPlace.read(), await markPlace.create('four')], ['three', false]);
      if (storage.supports(Capability.SCAN)) for await (const { location } of storage.scan()) assert.fail(location);
    });

    test(
      'knows what exists and its size',
      async (storage) => {
        await storage.write('d/known', source('12345'));
        assert.equal(await storage.exists('d/known'), true);
        assert.equal((await storage.stat('d/known'))?.size, 5);
        assert.ok((await storage.stat('d/known'))?.modifiedAt instanceof Date);
        assert.equal(await storage.exists('d'), false);
        assert.equal(await storage.exists('missing'), false);
        assert.equal(await storage.stat('no/such/directory'), undefined);
      },
      Capability.EXISTS,
    );

    test(
      'copies, and never over something',
      async (storage) => {
        await storage.write('d/original', source(LARGE));
        await storage.copy('d/original', 'e/copy');
        assert.ok((await contentOf(storage, 'e/copy')).equals(LARGE));
        assert.ok((await contentOf(storage, 'd/original')).equals(LARGE));
        await storage.write('taken', source('first'));
        await assert.rejects(storage.copy('d/original', 'taken'), LocationTakenError);
        assert.equal(String(await contentOf(storage, 'taken')), 'first');
        await assert.rejects(storage.copy('missing', 'f/copy'), LocationNotFoundError);
        await assert.rejects(storage.read('f/copy'), LocationNotFoundError);
        await assert.rejects(storage.copy('d/original', '../x'), LocationInvalidError);
      },
      Capability.COPY,
    );

    test(
      'moves, and never over something',
      async (storage) => {
        await storage.write('d/original', source(LARGE));
        await storage.move('d/original', 'e/moved');
        assert.ok((await contentOf(storage, 'e/moved')).equals(LARGE));
        await assert.rejects(storage.read('d/original'), LocationNotFoundError);
        await storage.write('taken', source('first'));
        await assert.rejects(storage.move('e/moved', 'taken'), LocationTakenError);
        assert.equal(String(await contentOf(storage, 'taken')), 'first');
        assert.ok((await contentOf(storage, 'e/moved')).equals(LARGE));
        await assert.rejects(storage.move('missing', 'f/moved'), LocationNotFoundError);
        await assert.rejects(storage.move('../x', 'f/moved'), LocationInvalidError);
      },
      Capability.MOVE,
    );

    test(
      'has nothing to do for a copy and a move in place',
      async (storage) => {
        await storage.write('place', source('content'));
        await storage.copy('place', 'place');
        await storage.move('place', 'place');
        assert.equal(String(await contentOf(storage, 'place')), 'content');
      },
      Capability.COPY | Capability.MOVE,
    );

    test(
      'scans everything once, or what is below a directory',
      async (storage) => {
        assert.deepEqual(await scanned(storage), []);
        for (const location of ['1', 'a/1', 'a/b/2', 'ab/3', '.hidden/4'])
          await storage.write(location, source(location));
        assert.deepEqual(await scanned(storage), ['.hidden/4', '1', 'a/1', 'a/b/2', 'ab/3']);
        assert.deepEqual(await scanned(storage, 'a'), ['a/1', 'a/b/2']);
        assert.deepEqual(await scanned(storage, 'missing'), []);
        for await (const { size, modifiedAt } of storage.scan('ab')) {
          assert.equal(size, 4);
          assert.ok(modifiedAt instanceof Date);
        }
        await assert.rejects(scanned(storage, '../x'), LocationInvalidError);
      },
      Capability.SCAN,
    );

    for (const [capability, use] of OPERATIONS) {
      it(`says clearly that it cannot ${Capability[capability]}, where it cannot`, async () => {
        const storage = await factory({ disable: capability });
        await storage.prepare();
        assert.equal(storage.supports(capability), false);
        await assert.rejects(use(storage), (error) => {
          return error instanceof CapabilityMissingError && error.missing.includes(String(Capability[capability]));
        });
      });
    }

    test('removes no complete file as a leftover', async (storage) => {
      await storage.write('d/complete', source('content'));
      await storage.removeLeftovers(new Date(Date.now() + 3_600_000));
      assert.equal(String(await contentOf(storage, 'd/complete')), 'content');
    });

    test('leaves nothing behind when the source fails, and passes its error on', async (storage) => {
      const fault = new Error('the source failed');
      await assert.rejects(storage.write('failed', failing(fault)), (error) => error === fault);
      await assert.rejects(storage.read('failed'), LocationNotFoundError);
      await storage.write('failed', source('again'));
    });

    test('leaves nothing behind when the source is cut off', async (storage) => {
      const content = failing(undefined);
      await assert.rejects(storage.write('cut', content));
      await assert.rejects(storage.read('cut'), LocationNotFoundError);
      await storage.write('cut', source('again'));
    });

    test('refuses a source that was read before', async (storage) => {
      const content = source('con', 'tent');
      await once(content, 'readable');
      content.read(1);
      await assert.rejects(storage.write('spent', content), ContentSpentError);
      assert.equal(content.destroyed, true);
      await assert.rejects(storage.read('spent'), LocationNotFoundError);
    });

    test('destroys a source that it does not take, whatever it says to that', async (storage) => {
      await storage.write('taken', source('first'));
      const content = new Readable({ read() {}, destroy: (_, done) => done(new Error('cannot be closed')) });
      await assert.rejects(storage.write('taken', content), LocationTakenError);
      assert.equal(content.destroyed, true);
      await new Promise(setImmediate);
    });
  });
}

function source(...chunks: (string | Buffer)[]): Readable {
  return Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
}

/** Gives some bytes, then breaks: with the error, or without one as a connection that is cut. */
function failing(fault: Error | undefined): Readable {
  let given = 0;
  return new Readable({
    read() {
      if (given++ < 20) this.push(Buffer.alloc(64 * 1024, 'x'));
      else setImmediate(() => this.destroy(fault));
    },
  });
}

async function scanned(storage: Storage, directory?: string): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of storage.scan(directory)) locations.push(location);
  return locations.sort();
}

async function contentOf(storage: Storage, location: string, start?: number, end?: number): Promise<Buffer> {
  const range = start === undefined || end === undefined ? undefined : { start, end };
  return buffer(await storage.read(location, range));
}
