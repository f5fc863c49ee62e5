import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { filesHarness } from '../../support/files-harness.js';
import { storageWith } from '../../support/storage-with.js';

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

/** A bucket that removes many objects at once, unless one of them is locked. */
function newBucket() {
  const memory = memoryStorage();
  const removals: (readonly string[])[] = [];
  const locked = new Set<string>();
  const remove = async (locations: readonly string[]): Promise<void> => {
    removals.push(locations);
    if (locations.some((location) => locked.has(location))) throw new Error('locked by a retention rule');
    for (const location of locations) await memory.remove(location);
  };
  const bucket = storageWith({
    write: (location, content) => memory.write(location, content),
    stat: (location) => memory.stat(location),
    remove: (location) => remove([location]),
    removeAll: remove,
  });
  return { bucket, removals, locked };
}

it('removes the bytes of many deleted files with one request to their bucket', async () => {
  const { bucket, removals: requests } = newBucket();
  const { files, removals, intents } = await filesHarness({ bucket });
  const made = [];
  for (let at = 0; at < 5; at++)
    made.push(await files.create(Buffer.from('x'), { name: `${at}`, storage: 'bucket', owner: null }));
  await files.deleteAll(made.map(({ id }) => id));
  await removals.idle();
  expect(requests.map((locations) => locations.toSorted())).toEqual([made.map(({ location }) => location).toSorted()]);
  expect(await intents()).toEqual([]);
});

it('leaves only what cannot be removed to the sweeper', async () => {
  const { bucket, locked } = newBucket();
  const { files, removals, intents } = await filesHarness({ bucket });
  const made = [];
  for (let at = 0; at < 3; at++)
    made.push(await files.create(Buffer.from('x'), { name: `${at}`, storage: 'bucket', owner: null }));
  const kept = made[1]?.location ?? '';
  locked.add(kept);
  await files.deleteAll(made.map(({ id }) => id));
  await removals.idle();
  expect((await intents()).map(({ location }) => location)).toEqual([kept]);
  const found = await Promise.all(made.map(({ location }) => bucket.exists(location)));
  expect(found).toEqual([false, true, false]);
});
