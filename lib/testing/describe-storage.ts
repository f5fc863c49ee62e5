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
import type { StorageAdapter, TemporaryUrlRequest } from '../storage/storage-adapter.js';
import type { StorageLimits } from '../storage/storage-limits.js';
import { STORAGE_VERBS } from '../storage/storage-verbs.js';
import type { StorageVerb } from '../storage/storage-verbs.js';
import { Storage } from '../storage/storage.js';
import { skippable, testFramework } from './test-framework.js';
import type { TestFramework } from './test-framework.js';

const USES: Readonly<Record<StorageVerb, (storage: Storage) => Promise<unknown>>> = {
  write: (storage) => storage.write('x', source('x')),
  read: (storage) => storage.read('x'),
  remove: (storage) => storage.remove('x'),
  stat: (storage) => storage.exists('x'),
  copy: (storage) => storage.copy('x', 'y'),
  move: (storage) => storage.move('x', 'y'),
  list: (storage) => listed(storage),
  publicUrl: (storage) => storage.publicUrl('x'),
  temporaryUrl: (storage) => storage.temporaryUrl('x', urlRequest()),
};

/**
 * Makes an empty adapter, or an empty storage with these limits. It is called for every test.
 * @example () => new BucketAdapter(new Bucket())
 * @example (limits) => fsStorage({ root: newDirectory(), ...limits })
 */
export type StorageFactory = (
  limits: StorageLimits,
) => Storage | StorageAdapter | Promise<Storage> | Promise<StorageAdapter>;

const LARGE = Buffer.alloc(3 * 1024 * 1024 + 17, 'nestjs-files ');
const SPECIAL = [' #?%&+=\'"', 'документ.pdf', '日本語', 'emoji 🗂️', '.hidden', '..dots..', 'a'.repeat(200)];
const OUTSIDE = ['../x', 'a/../../x', '/x', 'a//b', './x', 'a/..', '..', '.', '', 'a\\..\\..\\x', 'a\0b'];

/**
 * What every adapter has to keep, as tests: `describeStorage('bucket', () => new BucketAdapter(new Bucket()), { describe, it })`. Tests of a
 * verb that the adapter does not have are skipped, and say why.
 */
export function describeStorage(name: string, factory: StorageFactory, framework?: TestFramework): void {
  const { describe, it } = testFramework(framework);
  const make = async (limits: StorageLimits = {}): Promise<Storage> => {
    const made = await factory(limits);
    const storage = made instanceof Storage ? made : new Storage(made, limits);
    await storage.connect();
    return storage;
  };
  const test = (title: string, run: (storage: Storage) => Promise<void>, ...needs: StorageVerb[]): unknown =>
    it(
      title,
      skippable(`${name}: ${title}`, async (skip) => {
        const storage = await make();
        const missing = (['write', 'read', ...needs] as const).filter((verb) => !storage.can(verb));
        if (missing.length > 0) return skip(`the adapter has no ${missing.join(', no ')}`);
        await run(storage);
      }),
    );

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
        if (storage.can('remove')) await assert.rejects(storage.remove(location), LocationInvalidError);
        if (storage.can('stat')) await assert.rejects(storage.exists(location), LocationInvalidError);
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

    test('reads ranges, both ends included and cut at the end', async (storage) => {
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
    });

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
      'remove',
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
      'remove',
    );

    const markTitle = 'keeps a mark';
    it(
      markTitle,
      skippable(`${name}: ${markTitle}`, async (skip) => {
        const storage = await make();
        const { markPlace } = storage;
        if (!markPlace) return skip('the adapter has no markPlace');
        assert.equal(await markPlace.read(), undefined);
        const winners = await Promise.all(['one', 'two'].map((mark) => markPlace.create(mark)));
        assert.equal(winners.filter(Boolean).length, 1);
        assert.equal(await markPlace.read(), winners[0] ? 'one' : 'two');
        await markPlace.replace('three');
        assert.deepEqual([await markPlace.read(), await markPlace.create('four')], ['three', false]);
        if (storage.can('list')) for await (const { location } of storage.list()) assert.fail(location);
      }),
    );

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
      'stat',
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
      'copy',
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
      'move',
    );

    test(
      'has nothing to do for a copy and a move in place',
      async (storage) => {
        await storage.write('place', source('content'));
        await storage.copy('place', 'place');
        await storage.move('place', 'place');
        assert.equal(String(await contentOf(storage, 'place')), 'content');
      },
      'copy',
      'move',
    );

    test(
      'lists everything once, or what is below a directory',
      async (storage) => {
        assert.deepEqual(await listed(storage), []);
        for (const location of ['1', 'a/1', 'a/b/2', 'ab/3', '.hidden/4'])
          await storage.write(location, source(location));
        assert.deepEqual(await listed(storage), ['.hidden/4', '1', 'a/1', 'a/b/2', 'ab/3']);
        assert.deepEqual(await listed(storage, 'a'), ['a/1', 'a/b/2']);
        assert.deepEqual(await listed(storage, 'missing'), []);
        for await (const { size, modifiedAt } of storage.list('ab')) {
          assert.equal(size, 4);
          assert.ok(modifiedAt instanceof Date);
        }
        await assert.rejects(listed(storage, '../x'), LocationInvalidError);
      },
      'list',
    );

    test(
      'gives a public address',
      async (storage) => {
        await storage.write('d/public', source('content'));
        assert.ok(URL.canParse(await storage.publicUrl('d/public')));
      },
      'publicUrl',
    );

    test(
      'gives a temporary address',
      async (storage) => {
        await storage.write('d/lent', source('content'));
        assert.ok(URL.canParse(await storage.temporaryUrl('d/lent', urlRequest())));
      },
      'temporaryUrl',
    );

    for (const verb of STORAGE_VERBS) {
      it(`says clearly that it cannot ${verb}, where it cannot`, async () => {
        const storage = await make({ disable: [verb] });
        assert.equal(storage.can(verb), false);
        await assert.rejects(USES[verb](storage), (error) => {
          return error instanceof CapabilityMissingError && error.missing.includes(verb);
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

function urlRequest(): TemporaryUrlRequest {
  return {
    expiresAt: new Date(Date.now() + 60_000),
    disposition: 'attachment',
    name: 'a.txt',
    contentType: 'text/plain',
  };
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

async function listed(storage: Storage, directory?: string): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of storage.list(directory)) locations.push(location);
  return locations.sort();
}

async function contentOf(storage: Storage, location: string, start?: number, end?: number): Promise<Buffer> {
  const range = start === undefined || end === undefined ? undefined : { start, end };
  return buffer(await storage.read(location, range));
}
