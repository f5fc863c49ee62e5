import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { MARKERS } from '../../../lib/files/intents/marker-intent.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { proxied } from '../../support/proxied-database.js';
import { assembleFiles, filesHarness, HARNESS_ENTITIES, Note } from '../../support/files-harness.js';

const content = Buffer.from('content');

async function start({ open }: TestDatabase, poolSize: number) {
  const database = await open({ entities: HARNESS_ENTITIES, poolSize });
  const world = await assembleFiles(database.dataSource, { default: memoryStorage() });
  onTestFinished(async () => {
    await world.close();
    await database.close();
  });
  return { ...world, database };
}

describe.each(await reachableDatabases('postgres', 'mariadb'))('an intent on $name', (kind) => {
  it('is committed before the bytes are written, while the unit is open, and gone with its commit', async () => {
    const { files, transactor, registry, database, intents } = await start(kind, 5);
    const seen: unknown[] = [];
    const storage = registry.get('default');
    const write = storage.write.bind(storage);
    storage.write = async (location, source) => {
      seen.push(await database.read(`SELECT location FROM files_intent WHERE location = '${location}'`));
      await write(location, source);
    };
    await transactor.run(async () => {
      const { location } = await files.create(content, { name: 'x' });
      expect(seen).toEqual([[{ location }]]);
    });
    expect(await intents()).toEqual([]);
  });

  it('is not noted twice where the reply to the insert of several is lost', async () => {
    const database = await proxied(kind).open({ entities: HARNESS_ENTITIES });
    const { files, intents, rows, close } = await assembleFiles(database.dataSource, { default: memoryStorage() });
    onTestFinished(async () => {
      await close();
      await database.close();
    });
    database.proxy.arm({ at: /INSERT INTO .*files_intent/, cut: 'reply' });
    const outcomes = await Promise.allSettled(['a', 'b'].map((name) => files.create(content, { name })));
    database.proxy.disarm();
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([(await intents()).length, await rows()]).toEqual([2, 0]);
  });

  it('needs no connection of the pool while units hold all of them', async () => {
    const { files, transactor, rows } = await start(kind, 2);
    let waiting = 0;
    let go = () => {};
    const all = new Promise<void>((resolve) => (go = resolve));
    const unit = () =>
      transactor.run(async ({ manager }) => {
        await manager.query('SELECT 1');
        if (++waiting === 2) go();
        await all;
        await files.create(content, { name: 'x' });
      });
    await Promise.all([unit(), unit()]);
    expect(await rows()).toBe(2);
  });

  it.each(['REPEATABLE READ', 'SERIALIZABLE'] as const)(
    'is settled at %s, where it cannot be seen',
    async (isolationLevel) => {
      const { files, transactor, rows, intents, dataSource } = await start(kind, 5);
      await transactor.run(
        async () => {
          expect(await dataSource.getRepository(Note).count()).toBe(0); // from here on it sees nothing new
          await files.create(content, { name: 'x' });
        },
        { isolationLevel },
      );
      expect([await rows(), await intents()]).toEqual([1, []]);
    },
  );

  it.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const)(
    'refuses at %s to make a file of bytes that another request is writing or removing',
    async (isolationLevel) => {
      const { files, transactor, rows, dataSource, database, registry } = await start(kind, 5);
      await registry.get('default').write('there', Readable.from([content]));
      const other = await database.connect();
      const registration = transactor.run(
        async () => {
          expect(await dataSource.getRepository(Note).count()).toBe(0); // from here on it sees nothing new
          await other.getRepository(FileIntent).insert({
            id: uuidV7(),
            storage: 'default',
            location: 'there',
            locationKey: locationKey('there'),
            kind: 'delete',
            createdAt: new Date(),
            leaseOwner: null,
            leaseUntil: null,
          });
          await files.register('there');
        },
        { isolationLevel },
      );
      await expect(registration).rejects.toMatchObject({ code: 'FILES_LOCATION_PENDING' });
      expect(await rows()).toBe(0);
    },
  );

  it('joins a transaction of the application, and goes when that one rolls back', async () => {
    const { files, dataSource, rows, intents, registry } = await start(kind, 5);
    const undone = dataSource.transaction(async () => {
      await files.create(content, { name: 'x' });
      throw new Error('later');
    });
    await expect(undone).rejects.toThrow('later');
    for await (const found of registry.get('default').list()) expect(found).toBeUndefined();
    expect([await rows(), await intents()]).toEqual([0, []]);
  });
});

describe('an intent on SQLite', async () => {
  const [inMemory] = await reachableDatabases('memory');

  it('lies beside the bytes while a unit is open, and is gone after its commit', async () => {
    const { files, transactor, registry } = await filesHarness({}, inMemory);
    const markers = async () => {
      const found: string[] = [];
      for await (const { location } of registry.get('memory').list(MARKERS)) found.push(location);
      return found.length;
    };
    await transactor.run(async () => {
      await files.create(content, { name: 'x', storage: 'memory' });
      expect(await markers()).toBe(1);
    });
    expect(await markers()).toBe(0);
  });

  it('says what a storage lacks, in which it could not be found again', async () => {
    const { files, transactor, rows } = await filesHarness({ blind: memoryStorage({ disable: ['list'] }) }, inMemory);
    const inUnit = transactor.run(() => files.create(content, { name: 'x', storage: 'blind' }));
    await expect(inUnit).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING', missing: ['list'] });
    await files.create(content, { name: 'x', storage: 'blind' });
    expect(await rows()).toBe(1);
  });
});
