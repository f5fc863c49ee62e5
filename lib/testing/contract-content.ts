import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { RangeInvalidError } from '../errors/requests.errors.js';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../errors/storage.errors.js';
import { contentOf, LARGE, source } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';

const SPECIAL = [' #?%&+=\'"', 'документ.pdf', '日本語', 'emoji 🗂️', '.hidden', '..dots..', 'a'.repeat(200)];
const OUTSIDE = ['../x', 'a/../../x', '/x', 'a//b', './x', 'a/..', '..', '.', '', 'a\\..\\..\\x', 'a\0b'];

/** Written bytes are read at their location, and nowhere else. */
export function contractOfContent(test: ContractTest): void {
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

  test('reads many objects as it reads each of them', async (storage) => {
    await storage.write('many/small', source('small'));
    await storage.write('many/large', source(LARGE));
    await storage.write('many/empty', source());
    const reads = storage.beginReads();
    const read = async (location: string): Promise<Buffer> => {
      const bytes = await storage.readTogether(location, reads);
      return 'destroy' in bytes ? buffer(bytes) : Buffer.concat(bytes);
    };
    assert.equal(String(await read('many/small')), 'small');
    assert.ok((await read('many/large')).equals(LARGE));
    assert.equal((await read('many/empty')).length, 0);
    for (const location of ['many/missing', 'none/missing'])
      await assert.rejects(storage.readTogether(location, reads), LocationNotFoundError);
    await assert.rejects(storage.readTogether('many/../../x', reads), LocationInvalidError);
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
}
