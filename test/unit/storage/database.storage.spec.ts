import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseStorage, StoredBytes } from 'nestjs-files/storage/database';
import { describeStorage } from 'nestjs-files/testing';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { filesHarness } from '../../support/files-harness.js';

const content = Buffer.from('content');
const [kind] = await reachableDatabases('file');

for (const { name, open } of await reachableDatabases('memory', 'postgres', 'mariadb')) {
  let database: OpenDatabase;
  let transactor: Transactor;
  beforeAll(async () => {
    database = await open({ entities: [StoredBytes] });
    transactor = new Transactor(database.dataSource);
  });
  afterAll(async () => {
    transactor.close();
    await database.close();
  });
  const factory = async (limits: object) => {
    await database.dataSource.getRepository(StoredBytes).clear();
    return databaseStorage({ dataSource: database.dataSource, maxSize: '8MiB', ...limits });
  };
  describeStorage(`database on ${name}`, factory, { describe, it });
}

describe('databaseStorage', () => {
  async function setUp() {
    const world = await filesHarness({ rows: databaseStorage() });
    const stored = () => world.dataSource.getRepository(StoredBytes).count();
    return { ...world, stored };
  }

  it('needs to know a data source with its table', async () => {
    await expect(databaseStorage().connect()).rejects.toThrow('"dataSource"');
  });

  it('serves each of two applications in its units of work, and the one that is left', async () => {
    const storage = databaseStorage();
    const open = () => kind!.open({ entities: [StoredBytes] });
    const [first, second] = [await open(), await open()];
    const transactors = [first, second].map(({ dataSource }) => new Transactor(dataSource));
    await storage.connect(first);
    await storage.connect(second);
    const write = (location: string) => storage.write(location, Readable.from([content]));
    await expect(
      transactors[0]!.run(async () => {
        await write('a');
        throw new Error('later');
      }),
    ).rejects.toThrow('later');
    await transactors[0]!.run(() => write('b'));
    await transactors[1]!.run(() => write('c'));
    const stored = () =>
      Promise.all([first, second].map(async ({ read }) => (await read('SELECT location FROM files_bytes')).length));
    expect(await stored()).toEqual([1, 1]);
    transactors.forEach((transactor) => transactor.close());
    await second.close();
    expect(await storage.stat('b')).toMatchObject({ size: content.length });
    await first.close();
  });

  it('takes no more than its limit, which is a mebibyte unless told', async () => {
    const { files, registry, stored } = await setUp();
    const large = Buffer.alloc(1024 * 1024 + 1);
    await expect(files.create(large, { name: 'x', storage: 'rows' })).rejects.toMatchObject({
      code: 'FILES_FILE_TOO_LARGE',
    });
    const writing = registry.get('rows').write('x', Readable.from([large]));
    await expect(writing).rejects.toMatchObject({ code: 'FILES_FILE_TOO_LARGE' });
    expect(await stored()).toBe(0);
    const { id } = await files.create(large.subarray(1), { name: 'x', storage: 'rows' });
    expect((await text(await files.stream(id, { start: 47_990, end: 48_009 }))).length).toBe(20);
  });

  it('writes bytes with their row, both or none, and needs no intent', async () => {
    const { files, ownership, stored, rows, intents, queue } = await setUp();
    const create = () => files.create(content, { name: 'x', storage: 'rows' });
    ownership.fault = new Error('no history');
    await expect(create()).rejects.toThrow('no history');
    expect([await rows(), await stored()]).toEqual([0, 0]);
    ownership.fault = undefined;
    const unit = queue.run(async () => {
      await create();
      expect(await stored()).toBe(1);
      throw new Error('later');
    });
    await expect(unit).rejects.toThrow('later');
    expect([await rows(), await stored()]).toEqual([0, 0]);
    await create();
    expect([await rows(), await stored(), await intents()]).toEqual([1, 1, []]);
  });

  it('removes bytes with their row, and not when that is undone', async () => {
    const { files, stored, queue, intents } = await setUp();
    const { id } = await files.create(content, { name: 'x', storage: 'rows' });
    const undone = queue.run(async () => {
      await files.delete(id);
      expect(await stored()).toBe(0);
      throw new Error('later');
    });
    await expect(undone).rejects.toThrow('later');
    expect(await text(await files.stream(id))).toBe('content');
    await files.delete(id);
    expect([await stored(), await intents()]).toEqual([0, []]);
  });

  it('takes files from other storages and gives them back', async () => {
    const { files, stored } = await setUp();
    const { id } = await files.create(content, { name: 'x' });
    await files.move(id, 'rows');
    expect(await stored()).toBe(1);
    const copy = await files.copy(id);
    await files.replace(copy.id, Buffer.from('other'));
    await files.move(id, 'memory');
    expect(await stored()).toBe(1);
    expect(await Promise.all([id, copy.id].map(async (one) => text(await files.stream(one))))).toEqual([
      'content',
      'other',
    ]);
  });
});
