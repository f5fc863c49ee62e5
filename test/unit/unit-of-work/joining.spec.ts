import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UnitAbortedError } from '../../../lib/errors/unit-aborted.error.js';
import { reachableDatabases } from '../../support/databases.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

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
        await app.transactor.run(() => app.write('next'));
        expect(await app.saved()).toEqual(['next', 'taken']);
      },
    );

    it('refuses a manager that is in no transaction', async () => {
      await expect(app.transactor.run(() => 1, { manager: app.dataSource.manager })).rejects.toThrow(UnitAbortedError);
    });
  },
);
