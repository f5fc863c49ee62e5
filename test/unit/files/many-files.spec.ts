import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { faultyStorage, memoryStorage } from 'nestjs-files/testing';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { filesHarness } from '../../support/files-harness.js';

const MISSING = '01890000-0000-7000-8000-000000000000';

async function harness(kind?: TestDatabase) {
  const drop = faultyStorage(memoryStorage());
  const world = await filesHarness({ drop }, kind);
  /** Bytes that nobody knows. */
  const put = async (...locations: string[]) => {
    for (const location of locations) await drop.write(location, Readable.from([Buffer.from(`bytes of ${location}`)]));
    return locations.map((location) => ({ location, storage: 'drop', owner: null }));
  };
  const numbered = (count: number, name = 'n') => put(...Array.from({ length: count }, (_, n) => `${name}/${n}.txt`));
  return { ...world, drop, put, numbered };
}

describe.each(await reachableDatabases())('registering many files on $name', (kind) => {
  it('makes files of all of them, in their order', async () => {
    const { files, put, notes } = await harness(kind);
    const owner = { type: 'user', id: 'ada' };
    const [one, two] = await put('a/one.txt', 'two.txt');
    const made = await files.registerAll([{ ...one!, name: 'first.txt', owner }, two!]);
    expect(made).toMatchObject([
      {
        name: 'first.txt',
        storage: 'drop',
        location: 'a/one.txt',
        size: 18,
        contentType: 'text/plain',
        ownerId: 'ada',
      },
      { name: 'two.txt', location: 'two.txt', size: 16, ownerId: null },
    ]);
    expect(await files.findMany(made.map(({ id }) => id))).toEqual(made);
    expect(await notes()).toHaveLength(2);
  });

  it('sends as many statements for a thousand as for two', async () => {
    const { files, numbered, statements } = await harness(kind);
    const counts: number[] = [];
    for (const [name, count] of [
      ['few', 2],
      ['many', 1_000],
    ] as const) {
      const existing = await numbered(count, name);
      statements.length = 0;
      await files.registerAll(existing);
      counts.push(statements.length);
    }
    expect(counts[1]).toBe(counts[0]);
  });

  it('makes none if one of them has no bytes, is registered already, or is given twice', async () => {
    const { files, put, rows, drop } = await harness(kind);
    const [one, two, three] = await put('1', '2', '3');
    await files.registerAll([one!]);
    await drop.remove('3');
    await expect(files.registerAll([two!, three!])).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    const taken = { code: 'FILES_LOCATION_REGISTERED', storage: 'drop', location: '1' };
    await expect(files.registerAll([two!, one!])).rejects.toMatchObject(taken);
    await expect(files.registerAll([two!, two!])).rejects.toMatchObject({ ...taken, location: '2' });
    expect(await rows()).toBe(1);
  });

  it('makes none if one of them is being removed', async () => {
    const { files, put, rows, dataSource } = await harness(kind);
    const both = await put('1', '2');
    const pending = { storage: 'drop', location: '2', locationKey: locationKey('2'), kind: 'delete' as const };
    const unleased = { leaseOwner: null, leaseUntil: null };
    await dataSource.getRepository(FileIntent).insert({ id: MISSING, ...pending, createdAt: new Date(), ...unleased });
    const refused = { code: 'FILES_LOCATION_PENDING', location: '2' };
    await expect(files.registerAll(both)).rejects.toMatchObject(refused);
    expect(await rows()).toBe(0);
  });

  it('names the location that somebody else has registered while the bytes were read', async () => {
    const { files, put, rows, drop } = await harness(kind);
    const both = await put('1', '2');
    const read = drop.readTogether.bind(drop);
    let reads = 0;
    drop.readTogether = async (...args) => {
      if (reads++ === 1) await files.register('1', { storage: 'drop', owner: null });
      return read(...args);
    };
    const taken = { code: 'FILES_LOCATION_REGISTERED', location: '1' };
    await expect(files.registerAll(both, { concurrency: 1 })).rejects.toMatchObject(taken);
    expect(await rows()).toBe(1);
  });

  it('goes with the unit of work around it', async () => {
    const { files, queue, numbered, rows } = await harness(kind);
    const existing = await numbered(3);
    const unit = queue.run(async () => {
      await files.registerAll(existing);
      throw new Error('rolled back');
    });
    await expect(unit).rejects.toThrow('rolled back');
    expect(await rows()).toBe(0);
    expect(await files.registerAll(existing)).toHaveLength(3);
  });

  it('reads as many side by side as `concurrency` says, and no more after an error', async () => {
    const { files, numbered, drop } = await harness(kind);
    const existing = await numbered(9);
    let [running, most, reads] = [0, 0, 0];
    const read = drop.readTogether.bind(drop);
    drop.readTogether = async (...args) => {
      reads++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (args[0] === 'n/4.txt') throw new Error('the disk is gone');
      return read(...args);
    };
    await expect(files.registerAll(existing, { concurrency: 3 })).rejects.toThrow('the disk is gone');
    expect(most).toBe(3);
    expect(reads).toBeLessThan(9);
    await expect(files.registerAll(existing, { concurrency: 0 })).rejects.toThrow('concurrency is 0');
  });
});

describe.each(await reachableDatabases())('deleting many files on $name', (kind) => {
  const make = async ({ files, numbered }: Awaited<ReturnType<typeof harness>>, count: number, name?: string) =>
    (await files.registerAll(await numbered(count, name))).map(({ id }) => id);

  it('deletes rows and bytes of all', async () => {
    const world = await harness(kind);
    const ids = await make(world, 3);
    await world.files.deleteAll([...ids, ids[0]!]);
    expect(await world.rows()).toBe(0);
    expect(await world.intents()).toEqual([]);
    expect(await world.drop.exists('n/1.txt')).toBe(false);
    expect((await world.notes()).filter((note) => note.startsWith('deleted'))).toHaveLength(3);
    await world.files.deleteAll([]);
  });

  it('sends as many statements for a thousand as for two', async () => {
    const world = await harness(kind);
    const counts: number[] = [];
    for (const [name, count] of [
      ['few', 2],
      ['many', 1_000],
    ] as const) {
      const ids = await make(world, count, name);
      world.statements.length = 0;
      await world.files.deleteAll(ids);
      counts.push(world.statements.length);
      expect(await world.intents()).toEqual([]);
    }
    expect(counts[1]).toBe(counts[0]);
  });

  it('deletes none if one is missing or pinned, unless it is forced', async () => {
    const world = await harness(kind);
    const ids = await make(world, 2);
    await world.files.pin(ids);
    await expect(world.files.deleteAll([...ids, MISSING])).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    await expect(world.files.deleteAll(ids)).rejects.toMatchObject({ code: 'FILES_FILE_PINNED' });
    expect(await world.rows()).toBe(2);
    expect(await world.drop.exists('n/0.txt')).toBe(true);
    await world.files.deleteAll(ids, { force: true });
    expect(await world.rows()).toBe(0);
  });
});

describe.each(await reachableDatabases())('copying the files of an owner on $name', (kind) => {
  const [ada, bob] = [
    { type: 'user', id: 'ada' },
    { type: 'user', id: 'bob' },
  ];
  const fill = async ({ files, put, dataSource }: Awaited<ReturnType<typeof harness>>) => {
    const [one, other] = await put('one.txt', 'other.txt');
    const [first] = await files.registerAll([
      { ...one!, owner: ada },
      { ...other!, owner: bob },
    ]);
    const second = await files.create(Buffer.from('two'), { name: 'two.txt', storage: 'default', owner: ada });
    const notes = { pinned: true, ownerField: 'photoId', metadata: { alt: 'A photo' } };
    await dataSource.getRepository(ManagedFile).update({ id: second.id }, notes as object);
    return [first!, await files.findOrFail(second.id)];
  };

  it('gives the other owner files of the same content, and tells which is of which', async () => {
    const world = await harness(kind);
    const originals = await fill(world);
    const ids = await world.files.copyAll(ada, bob);
    expect([...ids.keys()].toSorted()).toEqual(originals.map(({ id }) => id).toSorted());
    for (const original of originals) {
      const { id, name, storage, size, hash, contentType, pinned, ownerField, metadata, location } = original;
      const copy = await world.files.findOrFail(ids.get(id)!);
      const same = { name, storage, size, hash, contentType, pinned, ownerField, metadata };
      expect(copy).toMatchObject({ ...same, ownerType: 'user', ownerId: 'bob' });
      expect(copy.location).not.toBe(location);
      expect(await text(await world.files.stream(copy))).toBe(await text(await world.files.stream(original)));
      expect(await world.files.findOrFail(id)).toEqual(original);
    }
    expect(await world.files.copyAll({ type: 'user', id: 'none' }, bob)).toEqual(new Map());
    expect(await world.intents()).toEqual([]);
  });

  it('sends as many statements for a hundred files as for two', async () => {
    const { files, numbered, statements } = await harness(kind);
    const counts: number[] = [];
    for (const count of [2, 100]) {
      const owner = { type: 'user', id: `with ${count}` };
      await files.registerAll((await numbered(count, owner.id)).map((one) => ({ ...one, owner })));
      statements.length = 0;
      await files.copyAll(owner, bob);
      counts.push(statements.length);
    }
    expect(counts[1]).toBe(counts[0]);
  });

  it('copies none if one of them cannot be copied', async () => {
    const world = await harness(kind);
    const [lost] = await fill(world);
    await world.drop.remove(lost!.location);
    await expect(world.files.copyAll(ada, bob)).rejects.toMatchObject({ code: 'FILES_LOCATION_NOT_FOUND' });
    expect(await world.rows()).toBe(3);
    expect(await world.stored()).toHaveLength(1);
    expect(await world.intents()).toEqual([]);
  });

  it('goes with the unit of work around it', async () => {
    const world = await harness(kind);
    await fill(world);
    const unit = world.queue.run(async () => {
      expect((await world.files.copyAll(ada, bob)).size).toBe(2);
      throw new Error('rolled back');
    });
    await expect(unit).rejects.toThrow('rolled back');
    expect(await world.rows()).toBe(3);
    expect(await world.stored()).toHaveLength(1);
    expect(await world.intents()).toEqual([]);
  });
});

describe('the addresses of many files', () => {
  it('are found by one statement, in a storage that everybody may read, and behind the route', async () => {
    const open = memoryStorage();
    Object.assign(open, { can: (...verbs: string[]) => verbs.every((verb) => verb !== 'move') });
    open.publicUrl = async (location) => `https://files.example/${location}`;
    const { files, numbered, statements } = await filesHarness({ open, closed: memoryStorage() }).then((world) => ({
      ...world,
      numbered: async (storage: string, count: number) => {
        const made = [];
        for (let n = 0; n < count; n++) made.push(await world.files.create(Buffer.from('x'), { name: 'x', storage }));
        return made;
      },
    }));
    const [closed, opened] = [await numbered('closed', 3), await numbered('open', 1)];
    statements.length = 0;
    const ids = [...closed, ...opened].map(({ id }) => id);
    const addresses = await files.addressesOf([...ids, MISSING]);
    expect(statements).toHaveLength(1);
    expect(Object.fromEntries(addresses)).toEqual({
      ...Object.fromEntries(closed.map(({ id }) => [id, `/files/${id}/content`])),
      [opened[0]!.id]: `https://files.example/${opened[0]!.location}`,
    });
    statements.length = 0;
    expect(await files.addressesOf(closed)).toHaveProperty('size', 3);
    expect(statements).toEqual([]);
  });
});
