import { randomUUID } from 'node:crypto';
import { writeFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { FilesSweeper } from '../../../lib/files/intents/files-sweeper.js';
import { leaveMarker } from '../../../lib/files/intents/marker-intent.js';
import type { SweepStep } from '../../../lib/files/intents/sweep-preview.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { readSweeperOptions } from '../../../lib/files/intents/sweeper-options.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { reachableDatabases } from '../../support/databases.js';
import { assembleFiles, filesHarness, HARNESS_ENTITIES } from '../../support/files-harness.js';
import { storageWith } from '../../support/storage-with.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const content = Buffer.from('content');
const source = () => Readable.from([content]);

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

function intent(kind: 'create' | 'delete', location: string, createdAt: number, storage = 'default') {
  const at = { id: uuidV7(), storage, location, locationKey: locationKey(location), createdAt: new Date(createdAt) };
  return Object.assign(new FileIntent(), at, { kind, leaseOwner: null, leaseUntil: null });
}

function step(kind: 'create' | 'delete', location: string, since: number, outcome: SweepStep['outcome']): SweepStep {
  return { storage: 'default', location, kind, since: new Date(since), outcome };
}

describe('FilesSweeper', () => {
  it('leaves a creation alone until its grace is over, then removes its bytes', async () => {
    const { sweeper, clock, registry, dataSource, stored, intents } = await filesHarness();
    await registry.get('default').write('abandoned', source());
    await dataSource.getRepository(FileIntent).insert(intent('create', 'abandoned', clock.now));
    clock.now += DAY - 1;
    expect(await sweeper.sweep()).toMatchObject({ examined: 0 });
    expect(await stored()).toEqual(['abandoned']);
    clock.now += 1;
    expect(await sweeper.sweep()).toEqual({
      examined: 1,
      finished: 1,
      kept: 0,
      failed: 0,
      bytesRemoved: 7,
      leftovers: 0,
      expired: 0,
    });
    expect([await stored(), await intents()]).toEqual([[], []]);
  });

  it('tells all who wait for a sweep how far it is', async () => {
    const { sweeper, clock, dataSource } = await filesHarness();
    const intents = ['a', 'b', 'c'].map((location) => intent('delete', location, clock.now));
    await dataSource.getRepository(FileIntent).insert(intents);
    const told: number[][] = [[], []];
    const reports = await Promise.all(
      told.map((mine) => sweeper.sweep({ onProgress: ({ examined }) => void mine.push(examined) })),
    );
    expect(reports).toMatchObject([{ examined: 3 }, { examined: 3 }]);
    const [first, second] = told;
    expect(first!.at(-1)).toBe(3);
    expect(first).toEqual([...first!].toSorted((one, other) => one - other));
    expect(second).toEqual(first);
    await sweeper.sweep();
    expect(told).toEqual([first, second]);
  });

  it('finishes a deletion at once', async () => {
    const { sweeper, clock, registry, dataSource, stored } = await filesHarness();
    await registry.get('default').write('deleted', source());
    await dataSource.getRepository(FileIntent).insert(intent('delete', 'deleted', clock.now));
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1 });
    expect(await stored()).toEqual([]);
  });

  it('finishes many intents of a bucket with two statements, and keeps bytes that a file refers to', async () => {
    const removals: (readonly string[])[] = [];
    const bucket = storageWith({
      removeAll: async (locations) => {
        removals.push(locations);
        for (const location of locations) await bucket.remove(location);
      },
    });
    const { sweeper, clock, files, dataSource, intents, statements } = await filesHarness({ bucket });
    const { location: referred } = await files.create(content, { name: 'x', storage: 'bucket' });
    const gone = Array.from({ length: 20 }, (_, at) => `gone/${at}`);
    for (const location of gone) await bucket.write(location, source());
    const all = [...gone, 'never/written', referred].map((one) => intent('delete', one, clock.now, 'bucket'));
    await dataSource.getRepository(FileIntent).insert(all);

    statements.length = 0;
    expect(await sweeper.sweep()).toMatchObject({ examined: 22, finished: 21, kept: 1, failed: 0, bytesRemoved: 140 });
    expect(removals).toEqual([[...gone, 'never/written']]);
    expect(statements.filter((sql) => sql.startsWith('DELETE'))).toHaveLength(1);
    expect(await intents()).toEqual([]);
    expect(await bucket.exists(referred)).toBe(true);
  });

  it('finds out which of many intents fails, and finishes the others', async () => {
    const refuse = (location: string): void => {
      if (location === 'locked') throw new Error('locked by a retention rule');
    };
    const memory = memoryStorage();
    const bucket = storageWith({
      write: (location, bytes) => memory.write(location, bytes),
      stat: (location) => memory.stat(location),
      remove: async (location) => {
        refuse(location);
        await memory.remove(location);
      },
      removeAll: async (locations) => locations.forEach(refuse),
    });
    const { sweeper, clock, dataSource, intents } = await filesHarness({ bucket });
    for (const location of ['a', 'locked', 'b']) {
      await bucket.write(location, source());
      await dataSource.getRepository(FileIntent).insert(intent('delete', location, clock.now, 'bucket'));
    }
    expect(await sweeper.sweep()).toMatchObject({ examined: 3, finished: 2, failed: 1, bytesRemoved: 14 });
    expect((await intents()).map(({ location }) => location)).toEqual(['locked']);
    expect([await bucket.exists('a'), await bucket.exists('locked')]).toEqual([false, true]);
  });

  it('keeps the intents of a storage that is not configured, and says so once', async () => {
    const { sweeper, clock, dataSource, intents } = await filesHarness();
    const log = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => log.mockRestore());
    const lost = ['a', 'b', 'c'].map((location) => intent('delete', location, clock.now, 'archive'));
    await dataSource.getRepository(FileIntent).insert([...lost, intent('delete', 'deleted', clock.now)]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 4, finished: 1, failed: 3 });
    expect(log.mock.calls).toEqual([[expect.stringMatching(/^Could not sweep 3 .* in storage "archive", which is/)]]);
    expect((await intents()).map(({ storage }) => storage)).toEqual(['archive', 'archive', 'archive']);
  });

  it('never removes the bytes of a file, whatever an intent says', async () => {
    const { sweeper, clock, files, dataSource, intents } = await filesHarness();
    const { id, location } = await files.create(content, { name: 'x' });
    await dataSource
      .getRepository(FileIntent)
      .insert([intent('delete', location, clock.now), intent('create', location, clock.now - 2 * DAY)]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 2, kept: 2, finished: 0, bytesRemoved: 0 });
    expect(await text(await files.stream(id))).toBe('content');
    expect(await intents()).toEqual([]);
  });

  it('previews a sweep, and changes nothing', async () => {
    const { sweeper, clock, files, registry, dataSource, stored, intents } = await filesHarness();
    const { location } = await files.create(content, { name: 'x' });
    await registry.get('default').write('abandoned', source());
    const leased = { leaseOwner: randomUUID(), leaseUntil: new Date(clock.now + 1) };
    await dataSource
      .getRepository(FileIntent)
      .insert([
        intent('create', 'abandoned', clock.now - 3 * DAY),
        intent('delete', location, clock.now - 2 * DAY),
        intent('create', 'under-way', clock.now - DAY + 1),
        Object.assign(intent('delete', 'taken', clock.now), leased),
      ]);
    const before = [await stored(), await intents()];

    expect(await sweeper.preview()).toEqual([
      step('create', 'abandoned', clock.now - 3 * DAY, 'remove'),
      step('delete', location, clock.now - 2 * DAY, 'keep'),
      step('create', 'under-way', clock.now - DAY + 1, 'wait'),
      step('delete', 'taken', clock.now, 'wait'),
    ]);
    expect(await sweeper.preview({ limit: 1 })).toHaveLength(1);
    expect([await stored(), await intents()]).toEqual(before);
    expect(await sweeper.sweep()).toMatchObject({ finished: 1, kept: 1 });
  });

  it('tells of the markers in storages too', async () => {
    const { sweeper, clock, registry } = await filesHarness();
    clock.now = Date.now();
    await leaveMarker(registry.get('memory'), 'half-written');
    expect(await sweeper.preview()).toMatchObject([{ kind: 'marker', location: 'half-written', outcome: 'wait' }]);
    clock.now += 2 * DAY;
    expect(await sweeper.preview()).toMatchObject([{ storage: 'memory', location: 'half-written', outcome: 'remove' }]);
  });

  it('removes only in the storage that the intent names', async () => {
    const { sweeper, clock, registry, dataSource } = await filesHarness();
    for (const name of ['default', 'memory']) await registry.get(name).write('same', source());
    await dataSource.getRepository(FileIntent).insert(intent('delete', 'same', clock.now, 'memory'));
    await sweeper.sweep();
    expect([await registry.get('default').exists('same'), await registry.get('memory').exists('same')]).toEqual([
      true,
      false,
    ]);
  });

  it('goes on after a failure, and tries again when the lease is over', async () => {
    const { sweeper, clock, registry, dataSource, intents } = await filesHarness({
      archive: memoryStorage({ disable: ['remove'] }),
    });
    await registry.get('memory').write('b', source());
    const all = [
      intent('delete', 'a', clock.now, 'archive'),
      intent('delete', 'c', clock.now, 'gone'),
      intent('delete', 'b', clock.now, 'memory'),
    ];
    await dataSource.getRepository(FileIntent).insert(all);
    expect(await sweeper.sweep()).toMatchObject({ examined: 3, finished: 1, failed: 2 });
    expect(await intents()).toHaveLength(2);
    expect(await sweeper.sweep()).toMatchObject({ examined: 0 });
    clock.now += 300_000;
    expect(await sweeper.sweep()).toMatchObject({ examined: 2, failed: 2 });
  });

  it('keeps a creation from being saved whose bytes it took', async () => {
    const { sweeper, clock, files, registry, rows, intents } = await filesHarness();
    const slow = new Readable({ read() {} });
    slow.push(Buffer.alloc(100_000));
    const creating = files.create(slow, { name: 'x', storage: 'memory' });
    await expect.poll(intents).toHaveLength(1);
    const [{ location } = { location: '' }] = await intents();
    clock.now += 2 * DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1 });
    slow.push(null);
    await expect(creating).rejects.toMatchObject({ code: 'FILES_INTENT_LOST', location });
    expect([await rows(), await registry.get('memory').exists(location), await intents()]).toEqual([0, false, []]);
  });

  it('removes unfinished files that are old', async () => {
    const { sweeper, clock, root, stored } = await filesHarness();
    const partial = join(root, `.x.${randomUUID()}.part`);
    await writeFile(partial, 'half');
    await utimes(partial, new Date(clock.now - 2 * DAY), new Date(clock.now - 2 * DAY));
    await writeFile(join(root, `.y.${randomUUID()}.part`), 'half');
    expect(await sweeper.sweep()).toMatchObject({ leftovers: 1, bytesRemoved: 4 });
    expect(await stored()).toEqual([expect.stringMatching(/^\.y/)]);
  });

  it('looks for no leftovers once it is stopped', async () => {
    const searched: string[] = [];
    const memory = memoryStorage();
    const bucket = storageWith({
      async *list(directory) {
        void sweeper.beforeApplicationShutdown();
        yield* memory.list(directory);
      },
      removeLeftovers: async () => {
        searched.push('bucket');
        return { count: 0, size: 0 };
      },
    });
    const { sweeper } = await filesHarness({ bucket });
    expect(await sweeper.sweep()).toMatchObject({ failed: 0 });
    expect(searched).toEqual([]);
  });

  it('gives everybody who asks meanwhile the same report', async () => {
    const { sweeper, clock, dataSource } = await filesHarness();
    await dataSource.getRepository(FileIntent).insert(intent('delete', 'a', clock.now));
    const [first, second] = await Promise.all([sweeper.sweep(), sweeper.sweep()]);
    expect(second).toBe(first);
    expect(first).toMatchObject({ examined: 1 });
  });

  it('refuses invalid times, by the name of the option', () => {
    for (const wrong of [
      { interval: 0 },
      { grace: -1 },
      { batch: 1.5 },
      { lease: Number.NaN },
      { interval: 2 ** 31 },
    ]) {
      expect(() => readSweeperOptions(wrong)).toThrow(`"sweeper.${Object.keys(wrong)[0]}"`);
    }
  });
});

describe('FilesSweeper on its interval', () => {
  afterEach(() => void vi.useRealTimers());

  async function timed(options: Parameters<typeof readSweeperOptions>[0]) {
    // A server's pool has timers of its own.
    const [inMemory] = await reachableDatabases('memory');
    const world = await filesHarness({}, inMemory);
    const { registry, transactor, removals, intentEndings, uploadSweep, filesDrafts, clock } = world;
    const sweeper = new FilesSweeper(
      registry,
      transactor,
      removals,
      intentEndings,
      uploadSweep,
      filesDrafts,
      readSweeperOptions(options),
      () => clock.now,
    );
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    sweeper.onApplicationBootstrap();
    return { ...world, sweeper };
  }

  it('sweeps by itself, again and again, until it is stopped', async () => {
    const { sweeper, clock, dataSource, intents } = await timed({ interval: HOUR });
    const repository = dataSource.getRepository(FileIntent);
    for (let round = 0; round < 2; round++) {
      await repository.insert(intent('delete', 'a', clock.now));
      await vi.advanceTimersByTimeAsync(HOUR - 1);
      expect(await intents()).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      await sweeper.sweep();
      expect(await intents()).toEqual([]);
      await vi.waitUntil(() => vi.getTimerCount() === 1, { timeout: 20_000 });
    }
    await sweeper.beforeApplicationShutdown();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does nothing when it is switched off', async () => {
    await timed(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('several sweepers on $name', ({ open }) => {
  it('share the work without doing anything twice', async () => {
    const database = await open({ entities: HARNESS_ENTITIES });
    const shared = memoryStorage();
    const machines = [
      await assembleFiles(database.dataSource, { default: shared }),
      await assembleFiles(await database.connect({ entities: HARNESS_ENTITIES }), { default: shared }),
    ];
    try {
      const now = Date.now();
      const locations = Array.from({ length: 250 }, (_, at) => `bytes/${at}`);
      for (const location of locations) await shared.write(location, source());
      const due = locations.map((location) => intent('delete', location, now));
      await database.dataSource.getRepository(FileIntent).insert(due);
      const reports = await Promise.all(machines.map(({ sweeper }) => sweeper.sweep()));
      const sum = (pick: (report: (typeof reports)[number]) => number) => reports.map(pick).reduce((a, b) => a + b);
      expect([sum((r) => r.examined), sum((r) => r.finished), sum((r) => r.failed)]).toEqual([250, 250, 0]);
      expect(sum((r) => r.bytesRemoved)).toBe(250 * 7);
      expect(await machines[0]!.intents()).toEqual([]);
    } finally {
      for (const { close } of machines) await close();
      await database.close();
    }
  });
});
