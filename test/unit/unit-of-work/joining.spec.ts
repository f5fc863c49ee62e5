import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AsyncResource } from 'node:async_hooks';
import { WorkUnawaitedError, UnitAbortedError, UnitEndedError } from '../../../lib/errors/units.errors.js';
import type { IsolationLevel } from '../../../lib/unit-of-work/dialects/dialect.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';
import { hearsStatements } from '../../support/versions.js';

Logger.overrideLogger(false);

describe.each(await reachableDatabases())(
  'on $name with a pool of one, a unit in the application’s transaction',
  (database) => {
    let app: NotesApp;
    let log: unknown[];

    beforeAll(async () => void (app = await openNotes(database, { poolSize: 1 })));
    beforeEach(async () => {
      log = [];
      await app.clear();
    });
    afterAll(() => app.database.close());

    const unit = (id: string, fails = false) =>
      app.transactor.run(async (current) => {
        current.afterCommit(async () => log.push(`${id} committed, saved: ${await app.notes.count()}`));
        current.afterRollback(() => log.push(`${id} rolled back`));
        await app.write(id);
        if (fails) throw new Error(id);
      });

    it('commits with it, and its effects wait until the connection is free', async () => {
      await app.dataSource.transaction(async (manager) => {
        await manager.insert(Note, { id: 'own' });
        await unit('joined');
        log.push('returned');
      });
      expect(await app.saved()).toEqual(['joined', 'own']);
      expect(log).toEqual(['returned', 'joined committed, saved: 2']);
    });

    it('is undone with it', async () => {
      const failing = app.dataSource.transaction(async () => {
        await unit('joined');
        throw new Error('the application');
      });
      await expect(failing).rejects.toThrow('the application');
      expect(await app.saved()).toEqual([]);
      expect(log).toEqual(['joined rolled back']);
    });

    it('is undone alone when it fails and the application goes on', async () => {
      await app.dataSource.transaction(async (manager) => {
        await unit('joined', true).catch(() => undefined);
        await manager.insert(Note, { id: 'own' });
        expect(log).toEqual([]);
      });
      expect(await app.saved()).toEqual(['own']);
      expect(log).toEqual(['joined rolled back']);
    });

    it('runs after the one that was started before it', async () => {
      await app.dataSource.transaction(() =>
        Promise.all([unit('a'), unit('b', true).catch(() => undefined), unit('c')]),
      );
      expect(await app.saved()).toEqual(['a', 'c']);
    });

    it('joins through the manager that it is given', async () => {
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      await app.transactor.run(() => app.write('joined'), { manager: runner.manager });
      await runner.rollbackTransaction();
      await app.transactor.run(() => app.write('outside'), { manager: await begun(runner.manager) });
      await runner.commitTransaction();
      await runner.release();
      expect(await app.saved()).toEqual(['outside']);

      async function begun(manager: typeof runner.manager) {
        await runner.startTransaction();
        return manager;
      }
    });

    it('nests in the unit that has joined already, whichever manager it is given', async () => {
      await app.dataSource.transaction((manager) =>
        app.transactor.run(async (outer) => {
          const inner = app.transactor.run(
            async (current) => {
              expect(current.parent).toBe(outer);
              await app.write('inner');
              throw new Error('inner');
            },
            { manager },
          );
          await expect(inner).rejects.toThrow('inner');
          await app.write('outer');
        }),
      );
      expect(await app.saved()).toEqual(['outer']);
    });

    // MariaDB does not tell a transaction what it runs at.
    it.runIf(database.kind !== 'mariadb')('has the isolation that the application asked for', async () => {
      const isPostgres = database.kind === 'postgres';
      const sql = isPostgres
        ? `SELECT current_setting('transaction_isolation') AS level`
        : 'SELECT read_uncommitted AS level FROM pragma_read_uncommitted';
      await app.dataSource.transaction(isPostgres ? 'REPEATABLE READ' : 'READ UNCOMMITTED', async () => {
        await unit('joined');
        const level = await app.transactor.run(() => app.dataSource.query<object[]>(sql));
        expect(level).toEqual([{ level: isPostgres ? 'repeatable read' : 1 }]);
      });
      if (!isPostgres) await app.dataSource.query('PRAGMA read_uncommitted = false');
    });

    describe('and asks for an isolation inside of it', () => {
      const isSqlite = database.kind === 'memory' || database.kind === 'file';
      const inner = (level: IsolationLevel) =>
        app.transactor.run(() => app.dataSource.transaction(level, () => app.write(level)));
      const refused = { code: 'FILES_ISOLATION_LEVEL_REFUSED' };

      it('gets it where the application has asked for as much', async () => {
        await app.dataSource.transaction('SERIALIZABLE', async (manager) => {
          await inner('READ COMMITTED');
          await manager.transaction(() => inner('SERIALIZABLE'));
        });
        expect(await app.saved()).toEqual(['READ COMMITTED', 'SERIALIZABLE']);
      });

      it('gets the database’s default when it asks for none', async () => {
        await app.dataSource.transaction(() => inner('READ COMMITTED'));
        expect(await app.saved()).toEqual(['READ COMMITTED']);
      });

      it.skipIf(isSqlite)('is refused more than that', async () => {
        await app.dataSource.transaction('READ COMMITTED', async (manager) => {
          await expect(inner('SERIALIZABLE')).rejects.toMatchObject(refused);
          await manager.insert(Note, { id: 'own' });
        });
        await app.dataSource.transaction(() => expect(inner('SERIALIZABLE')).rejects.toMatchObject(refused));
        expect(await app.saved()).toEqual(['own']);
      });

      it('is refused a level that the application may have asked for when nobody can tell', async () => {
        const runner = app.dataSource.createQueryRunner();
        await runner.startTransaction('SERIALIZABLE');
        const joined = app.transactor.run(
          ({ manager }) => manager.transaction('SERIALIZABLE', (nested) => nested.insert(Note, { id: 'joined' })),
          { manager: runner.manager },
        );
        if (database.kind === 'mariadb') {
          await expect(joined).rejects.toMatchObject({
            ...refused,
            message: expect.stringContaining('runs at a level that cannot be found out') as string,
          });
        } else await joined;
        await runner.commitTransaction();
        await runner.release();
        expect(await app.saved()).toEqual(database.kind === 'mariadb' ? [] : ['joined']);
      });
    });

    it('joins through the manager of a nested transaction that it is given', async () => {
      await app.dataSource.transaction((manager) =>
        manager.transaction(async (inner) => {
          await app.transactor.run(() => app.write('kept'), { manager: inner, timeout: 20_000 });
        }),
      );
      expect(await app.saved()).toEqual(['kept']);
    });

    it('joins below a nested transaction of the application', async () => {
      await app.dataSource.transaction(async (manager) => {
        await manager.transaction(() => unit('kept'));
        const undone = manager.transaction(async () => {
          await unit('undone');
          throw new Error('nested');
        });
        await expect(undone).rejects.toThrow('nested');
        expect(log).toEqual([]);
      });
      expect(await app.saved()).toEqual(['kept']);
      expect(log).toEqual(['kept committed, saved: 1', 'undone rolled back']);
    });

    it.runIf(database.kind === 'memory' || database.kind === 'file')(
      'runs before or after a nested dataSource.transaction, which shares the one connection',
      async () => {
        const nested = (id: string, fails = false) =>
          app.dataSource.transaction(async (manager) => {
            await manager.insert(Note, { id: `${id}1` });
            await manager.insert(Note, { id: `${id}2` });
            if (fails) throw new Error(id);
          });
        const ends = await app.dataSource.transaction(() =>
          Promise.allSettled([unit('a'), nested('b', true), unit('c', true), nested('d'), unit('e')]),
        );
        expect(ends.map((end) => (end.status === 'rejected' ? String(end.reason) : 'done'))).toEqual([
          'done',
          'Error: b',
          'Error: c',
          'done',
          'done',
        ]);
        expect(await app.saved()).toEqual(['a', 'd1', 'd2', 'e']);
      },
    );

    it.runIf(database.kind === 'memory' || database.kind === 'file')(
      'joins below a nested dataSource.transaction, which shares the one connection',
      async () => {
        await app.dataSource.transaction(() => app.dataSource.transaction(() => unit('kept')));
        expect(await app.saved()).toEqual(['kept']);
        expect(log).toEqual(['kept committed, saved: 1']);
      },
    );

    it.runIf(database.kind === 'memory' || database.kind === 'file')(
      'takes the application’s transaction along when the engine rolls back',
      async () => {
        await app.write('taken');
        const conflict = `INSERT OR ROLLBACK INTO note (id) VALUES ('taken')`;
        const swallowed = app.dataSource.transaction(async (manager) => {
          await manager.insert(Note, { id: 'own' });
          await app.transactor.run(() => app.dataSource.query(conflict)).catch(() => undefined);
          await manager.insert(Note, { id: 'late' });
        });
        await expect(swallowed).rejects.toThrow(UnitAbortedError);
        await expect(swallowed).rejects.toMatchObject({
          message: 'The unit of work was rolled back: its transaction had already failed.',
          cause: { driverError: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } },
        });
        await app.transactor.run(() => app.write('next'));
        expect(await app.saved()).toEqual(['next', 'taken']);
      },
    );

    it('nests a call made in a nested transaction of the manager that it has joined', async () => {
      await app.dataSource.transaction((manager) =>
        app.transactor.run(async () => {
          await manager.transaction(() => unit('inner'));
          const undone = manager.transaction(async () => {
            await unit('undone');
            throw new Error('nested');
          });
          await expect(undone).rejects.toThrow('nested');
          await manager.insert(Note, { id: 'outer' });
        }),
      );
      expect(await app.saved()).toEqual(['inner', 'outer']);
    });

    it('fails the application’s transaction that returns before it, and leaves the connection clean', async () => {
      const units: Promise<unknown>[] = [];
      const careless = app.dataSource.transaction(async () => {
        const begun = new Promise<void>((resolve) => {
          const running = app.transactor.run(async (current) => {
            current.afterRollback(() => log.push('a rolled back'));
            await app.write('a');
            resolve();
            await app.write('more');
            await app.write('and more');
          });
          units.push(running, unit('b'));
        });
        await begun;
      });
      await expect(careless).rejects.toThrow(WorkUnawaitedError);
      await expect(careless).rejects.toThrow(
        'while 2 nested call(s) or transaction(s) it had started were still running',
      );
      for (const one of await Promise.allSettled(units)) expect(one.status).toBe('rejected');
      expect(log).toEqual(['a rolled back']);
      expect(await app.saved()).toEqual([]);
      await app.transactor.run(() => app.write('next'));
      expect(await app.saved()).toEqual(['next']);
    });

    it('fails the nested transaction that returns before it, and nothing else', async () => {
      await app.dataSource.transaction(async (manager) => {
        const careless = manager.transaction(() => {
          void unit('lost');
          return Promise.resolve();
        });
        await expect(careless).rejects.toThrow(WorkUnawaitedError);
        await unit('kept');
      });
      expect(await app.saved()).toEqual(['kept']);
    });

    it('fails the COMMIT of a query runner that does not wait for it', async () => {
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      let begun = (): void => undefined;
      const started = new Promise<void>((resolve) => (begun = resolve));
      const joined = app.transactor.run(
        async (current) => {
          current.afterRollback(() => log.push('rolled back'));
          await app.write('joined');
          begun();
          await held;
        },
        { manager: runner.manager },
      );
      await started;
      await runner.manager.insert(Note, { id: 'beside' });
      const careless = runner.commitTransaction();
      await expect(careless).rejects.toThrow(WorkUnawaitedError);
      await expect(careless).rejects.toThrow(
        'while 1 nested call(s) or transaction(s) it had started were still running',
      );
      await runner.rollbackTransaction();
      release();
      await expect(joined).rejects.toThrow('was rolled back');
      expect(log).toEqual(['rolled back']);
      await runner.startTransaction();
      await runner.manager.insert(Note, { id: 'next' });
      await runner.commitTransaction();
      await runner.release();
      expect(await app.saved()).toEqual(['next']);
    });

    it('includes the work of the application’s manager inside of it', async () => {
      let go = (): void => undefined;
      const gate = new Promise<void>((resolve) => (go = resolve));
      const late: Promise<unknown>[] = [];
      await app.dataSource.transaction(async (manager) => {
        const careless = app.transactor.run(() => void manager.insert(Note, { id: 'lost' }).catch(() => undefined));
        await expect(careless).rejects.toThrow(WorkUnawaitedError);
        await app.transactor.run(() => {
          late.push(gate.then(() => manager.insert(Note, { id: 'late' })));
          return manager.insert(Note, { id: 'kept' });
        });
        go();
        await expect(late[0]).rejects.toThrow(UnitEndedError);
      });
      expect(await app.saved()).toEqual(['kept']);
    });

    it('is not ended through the application’s query runner', async () => {
      await app.dataSource.transaction(async (manager) => {
        await app.transactor.run(async () => {
          await expect(manager.queryRunner?.commitTransaction()).rejects.toThrow(
            /was committed.*dataSource.transaction/,
          );
          await expect(manager.queryRunner?.rollbackTransaction()).rejects.toThrow(/was rolled back through/);
          await expect(manager.queryRunner?.startTransaction()).rejects.toThrow(/was begun through/);
          await app.write('kept');
        });
      });
      expect(await app.saved()).toEqual(['kept']);
    });

    it('fails the application’s transaction when its rollback undoes writes beside it', async () => {
      const both = app.dataSource.transaction(async (manager) => {
        const outside = new AsyncResource('outside');
        const failing = app.transactor.run(async () => {
          await app.write('unit');
          await outside.runInAsyncScope(() => manager.insert(Note, { id: 'beside' }));
          throw new Error('unit');
        });
        await failing.catch(() => undefined);
      });
      await expect(both).rejects.toMatchObject({
        message:
          'The unit of work was rolled back: a statement that ran at the same time as a unit of work that had joined the ' +
          'transaction was undone with it; await one before you start the other.',
        cause: { message: 'unit' },
      });
      expect(await app.saved()).toEqual([]);
    });

    it('is undone alone when the application only reads beside it', async () => {
      await app.dataSource.transaction(async (manager) => {
        const outside = new AsyncResource('outside');
        const failing = app.transactor.run(async () => {
          await app.write('unit');
          await outside.runInAsyncScope(() => manager.query('SELECT id FROM note'));
          throw new Error('unit');
        });
        await expect(failing).rejects.toThrow('unit');
        await manager.insert(Note, { id: 'own' });
      });
      expect(await app.saved()).toEqual(['own']);
    });

    it('may be followed by others in the same transaction, whatever became of it and who wrote beside it', async () => {
      await app.dataSource.transaction(async (manager) => {
        const outside = new AsyncResource('outside');
        await app.transactor.run(async () => {
          await app.write('first');
          await outside.runInAsyncScope(() => manager.insert(Note, { id: 'beside' }));
        });
        const failing = app.transactor.run(async () => {
          await app.write('undone');
          throw new Error('second');
        });
        await expect(failing).rejects.toThrow('second');
        await unit('third');
      });
      expect(await app.saved()).toEqual(['beside', 'first', 'third']);
      expect(log).toEqual(['third committed, saved: 3']);
    });

    it('is told of the end of its own transaction, where its query runner goes on with another', async () => {
      const runner = app.dataSource.createQueryRunner();
      const joined = async (id: string) => {
        await runner.startTransaction();
        await app.transactor.run(
          async (current) => {
            current.afterCommit(() => log.push(`${id} committed`));
            current.afterRollback(() => log.push(`${id} rolled back`));
            await app.write(id);
          },
          { manager: runner.manager },
        );
      };
      await joined('first');
      await runner.commitTransaction();
      await joined('second');
      await runner.rollbackTransaction();
      await joined('third');
      await runner.commitTransaction();
      expect(log).toEqual([]);
      await runner.release();
      expect(log).toEqual(['first committed', 'second rolled back', 'third committed']);
      expect(await app.saved()).toEqual(['first', 'third']);
    });

    it('is rolled back with a transaction whose query runner is released before its end', async () => {
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      await app.transactor.run(
        async (current) => {
          current.afterCommit(() => log.push('committed'));
          current.afterRollback(() => log.push('rolled back'));
          await app.write('joined');
        },
        { manager: runner.manager },
      );
      if (database.kind === 'postgres' || database.kind === 'mariadb') await runner.rollbackTransaction();
      await runner.release();
      expect(log).toEqual(['rolled back']);
      expect(await app.saved()).toEqual([]);
    });

    it('does not join the transaction that comes after the one it was called in', async () => {
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      const [started, held] = [gate(), gate()];
      const first = app.transactor.run(
        async () => {
          await app.write('first');
          started.open();
          await held.opened;
        },
        { manager: runner.manager },
      );
      const second = app.transactor.run(() => app.write('second'), { manager: runner.manager });
      const ends = Promise.allSettled([first, second]);
      await started.opened;
      await runner.rollbackTransaction();
      await runner.startTransaction();
      held.open();
      const aborted = (why: string, cause?: string) => ({
        reason: { message: `The unit of work was rolled back: ${why}.`, ...(cause && { cause: { message: cause } }) },
      });
      expect(await ends).toMatchObject([
        aborted(
          'its transaction had already failed',
          'The unit of work was rolled back: the transaction that it had joined was rolled back.',
        ),
        aborted('the transaction that it was to join ended before; await every call inside of it'),
      ]);
      await runner.commitTransaction();
      await runner.release();
      expect(await app.saved()).toEqual([]);
    });

    it.runIf(hearsStatements)(
      'stays committed with its transaction when a subscriber fails after the COMMIT',
      async () => {
        const runner = app.dataSource.createQueryRunner();
        const { broadcastAfterQueryEvent } = runner.broadcaster;
        await runner.startTransaction();
        await app.transactor.run(
          async (current) => {
            current.afterCommit(() => log.push('committed'));
            await app.write('joined');
          },
          { manager: runner.manager },
        );
        const refused = new Error('subscriber');
        app.dataSource.subscribers.push({
          afterQuery: ({ query }) => (query === 'COMMIT' ? Promise.reject(refused) : undefined),
        });
        const end = runner.commitTransaction().finally(() => app.dataSource.subscribers.pop());
        await expect(end).rejects.toBe(refused);
        expect(runner.isTransactionActive).toBe(false);
        expect(runner.broadcaster.broadcastAfterQueryEvent).toBe(broadcastAfterQueryEvent);
        await runner.startTransaction();
        await runner.manager.insert(Note, { id: 'undone' });
        await runner.rollbackTransaction();
        await runner.release();
        expect(log).toEqual(['committed']);
        expect(await app.saved()).toEqual(['joined']);
      },
    );

    it('leaves a query runner as it was when that is released', async () => {
      const runner = app.dataSource.createQueryRunner();
      const { commitTransaction, query } = runner;
      await runner.startTransaction();
      await app.transactor.run(() => app.write('joined'), { manager: runner.manager });
      expect(runner.commitTransaction).not.toBe(commitTransaction);
      await runner.commitTransaction();
      await runner.release();
      expect([runner.commitTransaction, runner.query]).toEqual([commitTransaction, query]);
      expect(await app.saved()).toEqual(['joined']);
    });

    it.runIf(database.kind === 'memory' || database.kind === 'file')(
      'shares its connection with the query runners that the application asks for, and their savepoints',
      async () => {
        await app.dataSource.transaction(async (manager) => {
          const another = app.dataSource.createQueryRunner();
          expect(another.isTransactionActive).toBe(true);
          await another.startTransaction();
          await another.query(`INSERT INTO note (id) VALUES ('undone')`);
          await another.rollbackTransaction();
          await another.release();
          expect(manager.queryRunner?.isTransactionActive).toBe(true);
          await manager.insert(Note, { id: 'own' });
        });
        expect(await app.saved()).toEqual(['own']);
      },
    );

    it('refuses a manager that is in no transaction', async () => {
      await expect(app.transactor.run(() => 1, { manager: app.dataSource.manager })).rejects.toThrow(
        'The unit of work was rolled back: the `manager` it was given is in no transaction of its data source.',
      );
    });
  },
);
