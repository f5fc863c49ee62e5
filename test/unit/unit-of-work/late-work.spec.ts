import { AsyncLocalStorage } from 'node:async_hooks';
import { type EntityManager, type QueryRunner, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UnitEndedError } from '../../../lib/errors/units.errors.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import type { UnitOfWork } from '../../../lib/unit-of-work/unit-of-work.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const failure = new Error('failure');

interface Held {
  unit: UnitOfWork;
  runner: QueryRunner;
  manager: EntityManager;
}

const lateWrites: { title: string; what?: string; write: (app: NotesApp, held: Held) => Promise<unknown> }[] = [
  { title: 'an injected repository', write: (app) => app.write('late') },
  { title: 'save of an injected repository', write: (app) => app.notes.save({ id: 'late' }) },
  { title: 'dataSource.query', write: ({ dataSource }) => dataSource.query(`INSERT INTO note (id) VALUES ('late')`) },
  {
    title: 'dataSource.transaction',
    what: 'Nested work was started',
    write: (app) => app.dataSource.transaction(() => app.write('late')),
  },
  { title: 'the manager of the unit', write: (_, { unit }) => unit.manager.insert(Note, { id: 'late' }) },
  {
    title: 'a transaction of the manager of the unit',
    what: 'Nested work was started',
    write: (_, { unit }) => unit.manager.transaction((manager) => manager.insert(Note, { id: 'late' })),
  },
  { title: 'a query runner that is still held', write: (_, { runner }) => runner.query(`DELETE FROM note`) },
  { title: 'the manager of a query runner', write: (_, { runner }) => runner.manager.insert(Note, { id: 'late' }) },
  {
    title: 'a transaction of a query runner that is still held',
    write: async (_, { runner }) => {
      await runner.startTransaction();
      await runner.manager.insert(Note, { id: 'late' });
      await runner.commitTransaction();
    },
  },
];

describe.each(await reachableDatabases())('on $name, work that was left running', (kind) => {
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];

  beforeAll(async () => {
    app = await openNotes(kind);
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(() => app.clear());

  /** Runs a unit that leaves `late` running, which goes on when the unit has ended. */
  async function leave<T>(ends: 'commits' | 'rolls back', late: (held: Held) => Promise<T>): Promise<T> {
    const end = gate();
    let left: Promise<T> | undefined;
    const unit = run(async (current) => {
      await app.write('own');
      const runner = app.dataSource.createQueryRunner();
      const { manager } = await app.dataSource.transaction((inner) => Promise.resolve({ manager: inner }));
      left = end.opened.then(() => late({ unit: current, runner, manager }));
      if (ends === 'rolls back') throw failure;
    });
    await unit.catch(() => undefined);
    end.open();
    return left!;
  }

  const own = { commits: ['own'], 'rolls back': [] };

  describe.each(['commits', 'rolls back'] as const)('when the unit %s', (ends) => {
    it.each(lateWrites)('is refused $title', async ({ write, what = 'A statement was sent' }) => {
      const late = leave(ends, (held) => write(app, held));
      await expect(late).rejects.toBeInstanceOf(UnitEndedError);
      await expect(late).rejects.toMatchObject({
        message:
          `${what} after its unit of work had ended. Await all work inside the decorated method, ` +
          'or start it with TaskQueue.detach() if it is meant to outlive the unit.',
      });
      expect(await app.saved()).toEqual(own[ends]);
    });

    it('is refused the manager of a nested transaction, whose query runner is released', async () => {
      const late = leave(ends, ({ manager }) => manager.insert(Note, { id: 'late' }));
      await expect(late).rejects.toBeInstanceOf(QueryRunnerAlreadyReleasedError);
      expect(await app.saved()).toEqual(own[ends]);
    });

    it('is refused a read', async () => {
      await expect(leave(ends, () => app.notes.find())).rejects.toBeInstanceOf(UnitEndedError);
    });

    it('is refused effects and witnesses', async () => {
      const refused: unknown[] = [];
      await leave(ends, ({ unit }) => {
        const calls = [
          () => unit.afterCommit(() => undefined),
          () => unit.afterRollback(() => undefined),
          () => unit.addWitness(() => Promise.resolve(undefined)),
        ];
        for (const call of calls) {
          try {
            call();
          } catch (error) {
            refused.push(error);
          }
        }
        return Promise.resolve();
      });
      const refusal = (what: string) => ({
        code: 'FILES_UNIT_ENDED',
        message: expect.stringMatching(
          new RegExp(`^${what}\\(\\) was called after its unit of work had ended`),
        ) as string,
      });
      expect(refused).toMatchObject(['afterCommit', 'afterRollback', 'addWitness'].map(refusal));
    });

    it('is told that there is no current unit', async () => {
      const late = leave(ends, ({ unit }) => Promise.resolve([unit.isActive, app.transactor.current()]));
      expect(await late).toEqual([false, undefined]);
    });

    it('opens a unit of its own when it asks for one', async () => {
      await leave(ends, () =>
        run(async (fresh) => {
          expect(fresh.parent).toBeUndefined();
          await app.write('fresh');
        }),
      );
      expect(await app.saved()).toEqual(['fresh', ...own[ends]].sort());
    });

    it('is let through when it was detached', async () => {
      await leave(ends, () => detach(() => app.write('detached')));
      expect(await app.saved()).toEqual(['detached', ...own[ends]].sort());
    });

    it('finds nested units and transactions as closed as the root', async () => {
      const end = gate();
      const left: Promise<unknown>[] = [];
      const unit = run(async () => {
        const nested = async () => {
          left.push(end.opened.then(() => app.write('late')));
          await app.write(`nested${left.length}`);
        };
        await run(nested);
        await app.dataSource.transaction(nested);
        if (ends === 'rolls back') throw failure;
      });
      await unit.catch(() => undefined);
      end.open();
      for (const late of left) await expect(late).rejects.toBeInstanceOf(UnitEndedError);
      expect(await app.saved()).toEqual(ends === 'commits' ? ['nested1', 'nested2'] : []);
    });
  });

  it('writes nothing while the unit rolls back, nor until its connection is released', async () => {
    const tries: Promise<unknown>[] = [];
    const during = () =>
      inUnit(() => {
        tries.push(...lateWrites.map(({ write }) => write(app, held)), held.manager.query('SELECT 1'));
        for (const late of tries) late.catch(() => undefined);
      });
    let held!: Held;
    let inUnit!: ReturnType<typeof AsyncLocalStorage.snapshot>;
    const unit = run(async (current) => {
      const runner = app.dataSource.createQueryRunner();
      held = { unit: current, runner, manager: runner.manager };
      inUnit = AsyncLocalStorage.snapshot();
      const real = current['scope'].transaction.runner;
      const { query, release } = real;
      real.query = async function (this: QueryRunner, ...args: Parameters<QueryRunner['query']>) {
        if (args[0] === 'ROLLBACK') during();
        const answer: unknown = await query.apply(this, args);
        if (args[0] === 'ROLLBACK') during();
        return answer;
      } as QueryRunner['query'];
      real.release = function (this: QueryRunner) {
        during();
        return release.call(this);
      };
      await app.write('own');
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(tries).toHaveLength(3 * (lateWrites.length + 1));
    for (const late of tries) await expect(late).rejects.toBeInstanceOf(UnitEndedError);
    expect(await app.saved()).toEqual([]);
  });

  it('is refused in a nested unit that was undone, while the root goes on', async () => {
    const end = gate();
    let late: Promise<unknown> | undefined;
    await run(async () => {
      const nested = run(async () => {
        late = end.opened.then(() => app.write('late'));
        await app.write('nested');
        throw failure;
      });
      await nested.catch(() => undefined);
      end.open();
      await expect(late).rejects.toBeInstanceOf(UnitEndedError);
      await app.write('root');
    });
    expect(await app.saved()).toEqual(['root']);
  });

  it('is refused in nested work that was kept, while the root goes on', async () => {
    const end = gate();
    const late: Promise<unknown>[] = [];
    await run(async () => {
      const nested = async () => {
        late.push(end.opened.then(() => app.write('late')));
        await app.write(`nested${late.length}`);
      };
      await run(nested);
      await app.dataSource.transaction(nested);
      end.open();
      for (const one of late) await expect(one).rejects.toBeInstanceOf(UnitEndedError);
      await app.write('root');
    });
    expect(await app.saved()).toEqual(['nested1', 'nested2', 'root']);
  });

  it('may use a manager of a nested unit in the unit around it', async () => {
    await run(async () => {
      const { manager } = await run((nested) => nested);
      await manager.insert(Note, { id: 'through the nested manager' });
    });
    expect(await app.saved()).toEqual(['through the nested manager']);
  });
});
