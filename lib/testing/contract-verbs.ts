import assert from 'node:assert/strict';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../errors/storage.errors.js';
import { contentOf, LARGE, listed, source, urlRequest } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';

/** The behaviour of the verbs besides `write` and `read`. */
export function contractOfVerbs(test: ContractTest): void {
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

  test('takes a location below that of a file, or refuses it as invalid', async (storage) => {
    await storage.write('d/file', source('x'));
    for (const location of ['d/file/below', 'd/file/far/below'])
      if (await isTaken(storage.write(location, source('below'))))
        assert.equal(String(await contentOf(storage, location)), 'below');
    assert.equal(String(await contentOf(storage, 'd/file')), 'x');
  });

  test(
    'copies and moves to a location below that of a file, or refuses that one as invalid',
    async (storage) => {
      await storage.write('d/file', source('x'));
      await storage.write('d/original', source('original'));
      for (const location of ['d/file/copied', 'd/file/far/copied'])
        if (await isTaken(storage.copy('d/original', location)))
          assert.equal(String(await contentOf(storage, location)), 'original');
      for (const location of ['d/file/moved', 'd/file/far/moved']) {
        const isMoved = await isTaken(storage.move('d/original', location));
        if (isMoved) await storage.move(location, 'd/original');
        assert.equal(String(await contentOf(storage, 'd/original')), 'original');
      }
    },
    'copy',
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

  test('removes no complete file as a leftover', async (storage) => {
    await storage.write('d/complete', source('content'));
    await storage.removeLeftovers(new Date(Date.now() + 3_600_000));
    assert.equal(String(await contentOf(storage, 'd/complete')), 'content');
  });

  test('ends a search for leftovers whose signal is aborted, without an error', async (storage) => {
    await storage.write('d/complete', source('content'));
    await storage.removeLeftovers(new Date(Date.now() + 3_600_000), AbortSignal.abort());
    assert.equal(String(await contentOf(storage, 'd/complete')), 'content');
  });
}

/** Whether the storage takes the location. A place with directories has nothing below a file. */
async function isTaken(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    assert.ok(error instanceof LocationInvalidError, String(error));
    return false;
  }
}
