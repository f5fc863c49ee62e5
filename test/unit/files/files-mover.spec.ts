import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { faultyStorage } from 'nestjs-files/testing';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import type { MoveFilesOptions, MoveOutcome } from '../../../lib/files/files-mover.js';
import { lockFiles } from '../../../lib/files/lock-files.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { filesHarness } from '../../support/files-harness.js';
import { storageWith } from '../../support/storage-with.js';

const LEASE = '00000000-0000-4000-8000-000000000000';

async function moverHarness(storages: Record<string, Storage> = {}, kind?: TestDatabase) {
  const harness = await filesHarness({ other: memoryStorage(), ...storages }, kind);
  const { mover } = harness;
  const make = (count: number, storage = 'memory'): Promise<ManagedFile[]> => {
    async function* contents() {
      for (let at = 0; at < count; at++) yield { content: Buffer.from(`content ${at}`), name: `${at}.txt`, storage };
    }
    return harness.files.createAll(contents());
  };
  const run = async (options: Partial<MoveFilesOptions> = {}): Promise<MoveOutcome[]> => {
    const outcomes: MoveOutcome[] = [];
    for await (const outcome of mover.run({ from: 'memory', to: 'other', ...options })) outcomes.push(outcome);
    return outcomes;
  };
  const places = async (): Promise<Record<string, number>> => {
    const { results } = await harness.files.search({ limit: 1000 });
    const counts: Record<string, number> = {};
    for (const { storage } of results) counts[storage] = (counts[storage] ?? 0) + 1;
    return counts;
  };
  return { ...harness, make, run, places };
}

const idsOf = (outcomes: readonly MoveOutcome[]) => outcomes.map(({ file }) => file.id).toSorted();

describe.each(await reachableDatabases())('a run of FilesMover on $name', (kind) => {
  it('moves all files of the storage, page by page, and leaves nothing behind', async () => {
    const { make, run, places, files, registry, intents, statements } = await moverHarness({}, kind);
    const made = await make(205);
    const [elsewhere] = await make(1, 'default');
    statements.length = 0;
    const outcomes = await run();
    expect(idsOf(outcomes)).toEqual(made.map(({ id }) => id).toSorted());
    expect(new Set(outcomes.map(({ kind: became }) => became))).toEqual(new Set(['moved']));
    expect(statements.filter((sql) => / LIMIT 200/.test(sql))).toHaveLength(2);
    expect(await places()).toEqual({ other: 205, default: 1 });
    expect(await text(await files.stream(made[7]?.id ?? ''))).toBe('content 7');
    expect(await text(await files.stream(elsewhere?.id ?? ''))).toBe('content 0');
    expect(await intents()).toEqual([]);
    for (const { location } of made) expect(await registry.get('memory').stat(location)).toBeUndefined();
  });

  it('moves a hundred files with as many statements as two', async () => {
    const { make, run, statements } = await moverHarness({}, kind);
    const counts: number[] = [];
    for (const files of [2, 100]) {
      await make(files);
      statements.length = 0;
      expect(await run()).toHaveLength(files);
      counts.push(statements.length);
    }
    expect(counts[1]).toBe(counts[0]);
  });

  it('moves each file alone whose batch could not be committed', async () => {
    const target = memoryStorage();
    const { make, run, places, intents, dataSource, files } = await moverHarness({ target }, kind);
    const made = await make(3);
    const write = target.write.bind(target);
    let writes = 0;
    target.write = async (...args) => {
      await write(...args);
      // As a sweeper does that takes the copies for abandoned ones.
      if (writes++ === 1)
        await dataSource.getRepository(FileIntent).update({ storage: 'target' }, { leaseOwner: LEASE });
    };
    const outcomes = await run({ to: 'target', concurrency: 1 });
    expect(outcomes.map(({ kind: became }) => became)).toEqual(['moved', 'moved', 'moved']);
    expect(idsOf(outcomes)).toEqual(made.map(({ id }) => id).toSorted());
    expect(await places()).toEqual({ target: 3 });
    for (const [at, { id }] of made.entries()) expect(await text(await files.stream(id))).toBe(`content ${at}`);
    expect(await intents()).toEqual([]);
    const stored: string[] = [];
    for await (const { location } of target.list()) stored.push(location);
    expect(stored).toHaveLength(3);
  });

  it('moves the others of a batch together when one of them was replaced, deleted or moved elsewhere', async () => {
    const target = memoryStorage();
    const { make, run, places, intents, files } = await moverHarness({ target }, kind);
    const [replaced, deleted, moved] = (await make(5)).map(({ id }) => id) as [string, string, string];
    const write = target.write.bind(target);
    let writes = 0;
    target.write = async (...args) => {
      await write(...args);
      if (writes++ !== 4) return;
      await files.replace(replaced, Buffer.from('new content'));
      await files.delete(deleted);
      await files.move(moved, 'default');
    };
    const outcomes = await run({ to: 'target', concurrency: 1 });
    expect(outcomes.map(({ kind: became }) => became)).toEqual(['moved', 'moved', 'moved']);
    expect(await places()).toEqual({ target: 3, default: 1 });
    expect(await text(await files.stream(replaced))).toBe('new content');
    expect(await intents()).toEqual([]);
    const stored: string[] = [];
    for await (const { location } of target.list()) stored.push(location);
    expect(stored).toHaveLength(3);
  });

  it('moves those that match, and none if none does', async () => {
    const { make, run, places } = await moverHarness({}, kind);
    await make(4);
    expect(await run({ filters: { name: 'none' } })).toEqual([]);
    await run({ filters: { $or: [{ name: '0.txt' }, { name: '3.txt' }] } });
    expect(await places()).toEqual({ memory: 2, other: 2 });
  });
});

describe('a run of FilesMover', () => {
  it('tells which files failed, leaves them where they were, and moves them when it runs again', async () => {
    const target = faultyStorage(memoryStorage());
    const { make, run, places, intents, sweeper, clock } = await moverHarness({ target });
    await make(5);
    target.failAt(2, 'before');
    const outcomes = await run({ to: 'target', concurrency: 1 });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['moved', 'moved', 'moved', 'moved', 'failed']);
    expect(outcomes[4]).toMatchObject({ file: { name: '1.txt' }, error: { code: 'FILES_STORAGE_FAILED' } });
    expect(await places()).toEqual({ memory: 1, target: 4 });
    expect(await run({ to: 'target' })).toHaveLength(1);
    expect(await places()).toEqual({ target: 5 });
    clock.now += 7 * 24 * 3_600_000;
    await sweeper.sweep();
    expect(await intents()).toEqual([]);
  });

  it('verifies the bytes before the old ones go', async () => {
    const { make, run, registry, places } = await moverHarness();
    const [file] = await make(1);
    const memory = registry.get('memory');
    await memory.remove(file?.location ?? '');
    await memory.write(file?.location ?? '', Readable.from([Buffer.from('contemt 0')]));
    expect(await run()).toMatchObject([{ kind: 'failed', error: { code: 'FILES_FILE_CORRUPT' } }]);
    expect(await places()).toEqual({ memory: 1 });
  });

  it('leaves to the sweeper what it has written of broken bytes and cannot remove', async () => {
    const target = faultyStorage(memoryStorage());
    const { make, run, registry, places, intents, sweeper, clock } = await moverHarness({ target });
    const [, broken] = await make(2);
    const memory = registry.get('memory');
    await memory.remove(broken?.location ?? '');
    await memory.write(broken?.location ?? '', Readable.from([Buffer.from('contemt 1')]));
    target.failAt(3, 'before');
    expect((await run({ to: 'target', concurrency: 1 })).map(({ kind }) => kind).toSorted()).toEqual([
      'failed',
      'moved',
    ]);
    expect(target.calls.map((call) => call.split(' ')[0])).toEqual(['write', 'write', 'remove']);
    const [intent] = await intents();
    expect(await target.exists(intent?.location ?? '')).toBe(true);
    expect(await places()).toEqual({ memory: 1, target: 1 });
    clock.now += 7 * 24 * 3_600_000;
    await sweeper.sweep();
    expect(await target.exists(intent?.location ?? '')).toBe(false);
    expect(await intents()).toEqual([]);
  });

  it('gives files a second name where both storages are on one disk, and verifies them', async () => {
    const [from, to] = [newDirectory(), newDirectory()];
    const storages = { memory: fsStorage({ root: from }), other: fsStorage({ root: to }) };
    const { make, run, registry, files, intents, places } = await moverHarness(storages);
    const [one, two, broken] = (await make(3)) as [ManagedFile, ManagedFile, ManagedFile];
    const inode = async ({ storage, location }: ManagedFile) =>
      (await stat((await registry.get(storage).pathOf(location)) ?? '')).ino;
    const before = await Promise.all([one, two].map(inode));
    await writeFile(join(from, broken.location), 'contemt 2');
    const outcomes = await run();
    expect(outcomes.find(({ kind }) => kind === 'failed')).toMatchObject({
      file: { id: broken.id },
      error: { code: 'FILES_FILE_CORRUPT' },
    });
    const moved = await files.findMany([one.id, two.id]);
    expect(await Promise.all(moved.map(inode))).toEqual(before);
    expect(await text(await files.stream(one.id))).toBe('content 0');
    expect(await places()).toEqual({ memory: 1, other: 2 });
    expect(await intents()).toEqual([]);
    expect(await filesBelow(from)).toEqual([broken.location]);
    expect(await filesBelow(to)).toEqual(moved.map(({ location }) => location).toSorted());
  });

  it.each([
    ['slow', 10_000, [100, 100, 50]],
    ['fast', 1, [100, 150]],
  ] as const)('makes batches that take about a second: %s files', async (_, milliseconds, sizes) => {
    const { make, mover, dataSource } = await moverHarness();
    await make(250);
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += milliseconds));
    onTestFinished(() => void vi.restoreAllMocks());
    const left: number[] = [];
    for await (const _outcome of mover.run({ from: 'memory', to: 'other' }))
      left.push(await dataSource.getRepository(ManagedFile).countBy({ storage: 'memory' }));
    const steps = [250, ...new Set(left)];
    expect(sizes.map((_size, at) => (steps[at] ?? 0) - (steps[at + 1] ?? 0))).toEqual(sizes);
  });

  it('leaves files where they were if their new bytes cannot be made to last', async () => {
    const inner = memoryStorage();
    const target = storageWith({
      write: (location, content) => inner.write(location, content),
      read: (location) => inner.read(location),
      remove: (location) => inner.remove(location),
      beginWrites: () => ({
        write: (location, content) => inner.write(location, content),
        finish: () => Promise.reject(new Error('EIO')),
      }),
    });
    const { make, run, places, intents } = await moverHarness({ target });
    await make(3);
    const failed = { kind: 'failed', error: { code: 'FILES_STORAGE_FAILED' } };
    expect(await run({ to: 'target' })).toMatchObject([failed, failed, failed]);
    expect(await places()).toEqual({ memory: 3 });
    expect(await intents()).toEqual([]);
    expect((await inner.list().next()).done).toBe(true);
  });

  it('moves as many side by side as `concurrency` says', async () => {
    let [running, most] = [0, 0];
    const target = memoryStorage();
    const write = target.write.bind(target);
    target.write = async (...args) => {
      most = Math.max(most, ++running);
      await write(...args).finally(() => running--);
    };
    const { make, run } = await moverHarness({ target });
    await make(12);
    await run({ to: 'target', concurrency: 3 });
    expect(most).toBe(3);
  });

  it('goes on after a loop that was left, when its moves in progress have ended', async () => {
    const { make, mover, run, places, intents } = await moverHarness();
    await make(20);
    for await (const _ of mover.run({ from: 'memory', to: 'other', batch: 3 })) break;
    expect(await intents()).toEqual([]);
    expect(await places()).toEqual({ memory: 17, other: 3 });
    expect(await run()).toHaveLength(17);
    expect(await places()).toEqual({ other: 20 });
  });

  it('ends with the reason of its signal, between two batches', async () => {
    const { make, mover, places, intents } = await moverHarness();
    await make(20);
    const ending = new AbortController();
    const moving = async (): Promise<void> => {
      for await (const _ of mover.run({ from: 'memory', to: 'other', batch: 5, signal: ending.signal }))
        ending.abort(new Error('enough'));
    };
    await expect(moving()).rejects.toThrow('enough');
    expect(await intents()).toEqual([]);
    expect(await places()).toEqual({ memory: 15, other: 5 });
  });

  it('moves the new content of a file that is replaced while its bytes are on their way', async () => {
    const target = memoryStorage();
    const { make, run, files, registry, intents } = await moverHarness({ target });
    const [file] = await make(1);
    const id = file?.id ?? '';
    const write = target.write.bind(target);
    let writes = 0;
    target.write = async (...args) => {
      if (writes++ === 0) await files.replace(id, Buffer.from('new content'));
      await write(...args);
    };
    expect(await run({ to: 'target' })).toMatchObject([{ kind: 'moved', file: { id, storage: 'target', size: 11 } }]);
    expect(await text(await files.stream(id))).toBe('new content');
    expect(await intents()).toEqual([]);
    const left: string[] = [];
    for (const name of ['memory', 'target'])
      for await (const { location } of registry.get(name).list()) left.push(`${name} ${location}`);
    expect(left).toEqual([expect.stringMatching(/^target /)]);
  });

  it('passes over a file that was deleted meanwhile, and takes along one that came', async () => {
    const { make, mover, files, places } = await moverHarness();
    const made = await make(3);
    const outcomes: MoveOutcome[] = [];
    for await (const outcome of mover.run({ from: 'memory', to: 'other', batch: 1 })) {
      outcomes.push(outcome);
      if (outcomes.length === 1) await files.delete(made[2]?.id ?? '');
    }
    expect(outcomes).toHaveLength(2);
    expect(await places()).toEqual({ other: 2 });
  });

  it('leaves a file where it is that somebody else has moved elsewhere meanwhile', async () => {
    const { make, mover, files, places } = await moverHarness();
    const made = await make(3);
    const outcomes: MoveOutcome[] = [];
    for await (const outcome of mover.run({ from: 'memory', to: 'other', batch: 1 })) {
      outcomes.push(outcome);
      if (outcomes.length === 1) await files.move(made[2]?.id ?? '', 'default');
    }
    expect(outcomes.map(({ kind }) => kind)).toEqual(['moved', 'moved']);
    expect(await places()).toEqual({ other: 2, default: 1 });
  });

  it.each([
    [{ to: 'memory' }, 'FILES_MOVE_OPTION_INVALID'],
    [{ concurrency: 0 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ concurrency: 1.5 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ batch: 0 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ batch: 1001 }, 'FILES_MOVE_OPTION_INVALID'],
    [{ to: 'nowhere' }, 'FILES_STORAGE_UNKNOWN'],
    [{ from: 'kept' }, 'FILES_CAPABILITY_MISSING'],
    [{ to: 'readonly' }, 'FILES_CAPABILITY_MISSING'],
    [{ filters: { nothing: 1 } as never }, 'FILES_SEARCH_QUERY_INVALID'],
  ] satisfies [Partial<MoveFilesOptions>, string][])('refuses %j before anything is moved', async (options, code) => {
    const storages = { kept: memoryStorage({ disable: ['remove'] }), readonly: memoryStorage({ disable: ['write'] }) };
    const { make, mover, places } = await moverHarness(storages);
    await make(1);
    expect(() => mover.run({ from: 'memory', to: 'other', ...options })).toThrow(expect.objectContaining({ code }));
    expect(await places()).toEqual({ memory: 1 });
  });
});

describe.each(await reachableDatabases('postgres', 'mariadb'))(
  'a run of FilesMover in a unit of work, $name',
  (kind) => {
    it('commits files on their own', async () => {
      const { make, run, places, queue } = await moverHarness({}, kind);
      await make(2);
      const unit = queue.run(async () => {
        await run();
        throw new Error('rolled back');
      });
      await expect(unit).rejects.toThrow('rolled back');
      expect(await places()).toEqual({ other: 2 });
    });

    it('locks an original before what is derived from it, so that it waits for a deletion of both', async () => {
      const { make, run, places, dataSource, statements } = await moverHarness({}, kind);
      const [derived, original] = (await make(2)).map(({ id }) => id).toSorted() as [string, string];
      const owner = { ownerType: 'file', ownerId: original, ownerField: 'preview' };
      await dataSource.getRepository(ManagedFile).update(derived, owner);
      statements.length = 0;
      const locks = () => statements.filter((sql) => /FOR (NO KEY )?UPDATE/.test(sql)).length;
      let running: Promise<MoveOutcome[]> | undefined;
      await dataSource.transaction(async (manager) => {
        await lockFiles(manager, [original]);
        running = run();
        await expect.poll(locks).toBe(2);
        await lockFiles(manager, [derived]);
      });
      expect((await running)?.map((outcome) => outcome.kind)).toEqual(['moved', 'moved']);
      expect(await places()).toEqual({ other: 2 });
      expect(statements.filter((sql) => sql.startsWith('ROLLBACK'))).toEqual([]);
    });
  },
);
