import { randomUUID } from 'node:crypto';
import type { EntitySubscriberInterface } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Room, Ticket } from '../../support/guarded-entities.js';

const ignored = (): void => undefined;

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'A write of a guarded row on $name',
  (database) => {
    let app: GuardedApp;
    let foreign: string;
    let id: string;
    beforeAll(async () => {
      // So that whoever comes next has the same connection.
      const ofOne = async () => {
        const made = await database.create();
        return { ...made, options: { ...made.options, poolSize: 1 } };
      };
      app = await guardedApp({ database: { ...database, create: ofOne } as typeof database });
    });
    beforeEach(async () => {
      foreign = await app.fileOf('track', 77);
      id = randomUUID();
    });
    afterAll(() => app.close());
    const repo = <T extends object>(type: new () => T) => app.dataSource.getRepository<T>(type);

    async function heard<T>(subscriber: EntitySubscriberInterface, work: () => Promise<T>): Promise<T> {
      const { subscribers } = app.dataSource;
      subscribers.push(subscriber);
      try {
        return await work();
      } finally {
        subscribers.splice(subscribers.indexOf(subscriber), 1);
      }
    }
    function fail(): never {
      throw new Error('a subscriber fails after the write');
    }

    it('is checked where the transaction of the application ends before it', async () => {
      let write: Promise<unknown> = Promise.resolve();
      const work = app.dataSource.transaction(async (manager) => {
        await manager.findOneBy(Room, { id });
        write = manager.insert(Room, { id, planId: foreign }).catch(ignored);
      });
      await expect(work).rejects.toThrow();
      await write;
      expect(await repo(Room).findOneBy({ id })).toBeNull();
    });

    it('is checked where another beside it has failed, and the error is swallowed', async () => {
      const work = app.dataSource.transaction(async (manager) => {
        const writes = [manager.insert(Room, { id, planId: foreign }), Promise.reject(new Error('something else'))];
        await Promise.all(writes).catch(ignored);
      });
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await repo(Room).findOneBy({ id })).toBeNull();
    });

    it('is checked where it begins while the unit is settled', async () => {
      const [one, two] = await repo(Ticket).save([{ title: '1' }, { title: '2' }]);
      const file = await app.fileOf('ticket', one!.id);
      const own = await app.fileOf('ticket', two!.id);
      await repo(Ticket).update(one!.id, { attachmentId: file });
      const settling = gate();
      const { logger } = app.dataSource;
      const logQuery = logger.logQuery.bind(logger);
      let write: Promise<unknown> = Promise.resolve();
      const work = app.queue.run(async () => {
        write = settling.opened.then(() => repo(Room).insert({ id, planId: foreign })).catch(ignored);
        await app.files.transferOwnership(file, { ownerType: 'user', ownerId: 'ada', force: true });
        await repo(Ticket).update(one!.id, { attachmentId: null });
        await repo(Ticket).update(two!.id, { attachmentId: own });
        logger.logQuery = (sql, ...rest) => {
          if (/^SELECT/i.test(sql)) settling.open();
          logQuery(sql, ...rest);
        };
      });
      await expect(work).rejects.toThrow();
      logger.logQuery = logQuery;
      await write;
      expect(await repo(Room).findOneBy({ id })).toBeNull();
    });

    it.each([0, 1])('runs in its own transaction beside another on one query runner, as number %i', async (at) => {
      const good = randomUUID();
      const runner = app.dataSource.createQueryRunner();
      const rows: Partial<Room>[] = [{ id: good }, { id: good }];
      rows[at] = { id, planId: foreign };
      const outcomes = await Promise.allSettled(rows.map((row) => runner.manager.insert(Room, row)));
      await runner.release();
      expect(outcomes[at]).toMatchObject({ status: 'rejected', reason: expect.any(FilesNotOwnError) as unknown });
      expect(outcomes[1 - at]).toMatchObject({ status: 'fulfilled' });
      expect([await repo(Room).existsBy({ id }), await repo(Room).existsBy({ id: good })]).toEqual([false, true]);
    });

    // In memory there is one connection, whose transaction the next runner would be in.
    it.skipIf(database.kind === 'memory').each([1, 2])(
      'is rolled back where its query runner is released %i deep in a transaction',
      async (depth) => {
        const runner = app.dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.manager.insert(Room, { id, planId: foreign });
        if (depth === 2) await runner.startTransaction();
        await runner.release();
        await app.queue.run(() => repo(Ticket).save({ title: 'the next one' }));
        expect(await repo(Room).findOneBy({ id })).toBeNull();
      },
    );

    it.each(['unit', 'transaction'])('is checked where a listener fails after an insertion, in a %s', async (kind) => {
      const insertion = async () => void (await repo(Room).insert({ id, planId: foreign }).catch(ignored));
      const inTransaction = () =>
        app.dataSource.transaction(async (manager) => {
          await manager.insert(Room, { id, planId: foreign }).catch(ignored);
        });
      const work = heard({ listenTo: () => Room, afterInsert: fail }, () =>
        kind === 'unit' ? app.queue.run(insertion) : inTransaction(),
      );
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await repo(Room).findOneBy({ id })).toBeNull();
    });

    it('is checked where a statement of its listener fails', async () => {
      const afterInsert: EntitySubscriberInterface['afterInsert'] = ({ manager }) =>
        manager.transaction((inner) => inner.query('SELECT nothing_here'));
      const work = heard({ listenTo: () => Room, afterInsert }, () =>
        app.queue.run(async () => void (await repo(Room).insert({ id, planId: foreign }).catch(ignored))),
      );
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await repo(Room).findOneBy({ id })).toBeNull();
    });

    it('leaves the others to be saved where its listener fails before an upsert', async () => {
      await heard({ listenTo: () => Room, beforeInsert: fail }, () =>
        app.queue.run(async () => {
          await repo(Ticket).insert({ id });
          const upsert = repo(Room).createQueryBuilder().insert().values({ id }).orUpdate(['planId'], ['id']);
          await upsert.execute().catch(ignored);
        }),
      );
      expect([await repo(Ticket).existsBy({ id }), await repo(Room).existsBy({ id })]).toEqual([true, false]);
    });

    // PostgreSQL aborts the transaction.
    it.skipIf(database.kind === 'postgres')('leaves the others to be saved where it fails itself', async () => {
      await repo(Room).insert({ id });
      const file = await app.upload();
      await app.queue.run(async () => {
        await repo(Room).insert({ id, planId: file }).catch(ignored);
        await repo(Ticket).insert({ id });
      });
      expect([await repo(Ticket).existsBy({ id }), await app.ownerOf(file)]).toEqual([true, 'user ada']);
    });

    it.each(['planId', 'attachmentId'])('is checked where a listener fails after an update of %s', async (field) => {
      const type = (field === 'planId' ? Room : Ticket) as typeof Room;
      await repo(type).insert({ id });
      const work = heard({ listenTo: () => type, afterUpdate: fail }, () =>
        app.queue.run(
          async () =>
            void (await repo(type)
              .update(id, { [field]: foreign })
              .catch(ignored)),
        ),
      );
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await repo(type).findOneBy({ id })).toMatchObject({ [field]: null });
    });

    it('lets files go where a listener fails after a deletion', async () => {
      await repo(Ticket).insert({ id });
      const file = await app.fileOf('ticket', id);
      await repo(Ticket).update(id, { attachmentId: file });
      await heard({ listenTo: () => Ticket, afterRemove: fail }, () =>
        app.queue.run(async () => void (await repo(Ticket).delete(id).catch(ignored))),
      );
      expect(await repo(Ticket).existsBy({ id })).toBe(false);
      expect(await app.ownerOf(file)).toBeUndefined();
    });
  },
);
