import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { QueryRunner } from 'typeorm';
import { UnitAbortedError } from '../../../lib/errors/units.errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';
import { hearsStatements } from '../../support/versions.js';

Logger.overrideLogger(false);

const databases = await reachableDatabases();

function onEach(kinds: string[], name: string, body: (app: () => NotesApp, kind: string) => void): void {
  describe.each(databases.filter(({ kind }) => kinds.includes(kind)))(`on $name, ${name}`, (database) => {
    let app: NotesApp;
    beforeAll(async () => {
      app = await openNotes(database, { poolSize: database.kind === 'mariadb' ? 4 : 1 });
    });
    afterAll(() => app.database.close());
    beforeEach(() => app.clear());
    body(() => app, database.kind);
  });
}

const everywhere = ['memory', 'file', 'postgres', 'mariadb'];

onEach(['postgres'], 'a unit whose failed statement was swallowed', (app) => {
  it('fails, with that statement as the cause', async () => {
    const unit = app().transactor.run(async () => {
      await app().write('one');
      await app()
        .write('one')
        .catch(() => undefined);
    });
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    await expect(unit).rejects.toMatchObject({
      message:
        'The unit of work was rolled back: a statement failed, its error was swallowed, and PostgreSQL answered COMMIT with ROLLBACK.',
      cause: { driverError: { code: '23505' } },
    });
    expect(await app().saved()).toEqual([]);
  });

  it('commits when the statement had a nested unit to itself', async () => {
    await app().transactor.run(async () => {
      await app().write('one');
      await app()
        .transactor.run(() => app().write('one'))
        .catch(() => undefined);
      await app().write('two');
    });
    expect(await app().saved()).toEqual(['one', 'two']);
  });

  it('fails also when it is joined to a transaction of the application', async () => {
    const effects: string[] = [];
    const transaction = app().dataSource.transaction(async (manager) => {
      await app().transactor.run(async (unit) => {
        unit.afterCommit(() => effects.push('commit'));
        unit.afterRollback(() => effects.push('rollback'));
        await app().write('one');
      });
      await manager.insert(Note, { id: 'one' }).catch(() => undefined);
    });
    await expect(transaction).rejects.toBeInstanceOf(UnitAbortedError);
    expect(effects).toEqual(['rollback']);
    expect(await app().saved()).toEqual([]);
  });
});

onEach(['postgres'], 'a unit with a statement that failed with a code of class 08', (app) => {
  it.each([
    ['a NUL in its text', () => app().dataSource.query("SELECT 'a\0b'"), '08P01'],
    ['too many parameters', () => app().dataSource.query('SELECT $1::int', [1, 2]), '08P01'],
    [
      'a function that says so',
      () => app().dataSource.query(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '08006'; END $$`),
      '08006',
    ],
  ])('commits, if that had a savepoint to itself: %s', async (_, statement, code) => {
    const { transactor, dataSource } = app();
    const failed = expect.objectContaining({ driverError: expect.objectContaining({ code }) as unknown }) as unknown;
    await transactor.run(async () => {
      await app().write('one');
      await expect(transactor.run(statement)).rejects.toEqual(failed);
      await expect(dataSource.transaction(statement)).rejects.toEqual(failed);
      await app().write('two');
    });
    expect(await app().saved()).toEqual(['one', 'two']);
    await expect(transactor.run(statement)).rejects.toEqual(failed);
  });
});

onEach(['mariadb'], 'a unit that lost a deadlock', (app) => {
  /** Two units lock each other out; resolves with what the one that the server chose saw. */
  async function deadlock(afterwards: () => Promise<unknown>): Promise<unknown[]> {
    await app().notes.insert([{ id: 'a' }, { id: 'b' }]);
    const { notes, transactor } = app();
    const bothHold = gate();
    let holding = 0;
    const one = (first: string, second: string) =>
      transactor.run(async () => {
        await notes.increment({ id: first }, 'amount', 1);
        if (++holding === 2) bothHold.open();
        await bothHold.opened;
        let lost = false;
        await notes.increment({ id: second }, 'amount', 1).catch(() => (lost = true));
        if (lost) await afterwards();
      });
    const ends = await Promise.allSettled([one('a', 'b'), one('b', 'a')]);
    return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  }

  it('fails even if it swallows the error', async () => {
    const reasons = await deadlock(() => Promise.resolve());
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toBeInstanceOf(UnitAbortedError);
    expect(reasons[0]).toMatchObject({ cause: { driverError: { errno: 1213 } } });
    expect((await app().notes.find()).map(({ amount }) => amount)).toEqual([1, 1]);
  });

  it('is refused every later statement, and saves nothing', async () => {
    const refused: unknown[] = [];
    const reasons = await deadlock(async () => {
      const { dataSource, transactor } = app();
      const later = [
        () => app().write('late'),
        () => dataSource.transaction(() => app().write('late')),
        () => transactor.run(() => app().write('late')),
        () => app().notes.count(),
      ];
      for (const statement of later) await statement().catch((error: unknown) => refused.push(error));
    });
    expect(refused).toHaveLength(4);
    for (const error of refused) expect(error).toBeInstanceOf(UnitAbortedError);
    expect(reasons).toHaveLength(1);
    expect(await app().saved()).toEqual(['a', 'b']);
    expect((await app().notes.find()).map(({ amount }) => amount)).toEqual([1, 1]);
  });
});

onEach(['memory', 'file', 'postgres'], 'a unit whose COMMIT is refused', (app, kind) => {
  const deferred = 'REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED';

  beforeAll(() => app().dataSource.query(`CREATE TABLE reply (id varchar(40), note_id varchar(40) ${deferred})`));
  afterAll(() => app().dataSource.query('DROP TABLE reply'));

  const refusal = { code: kind === 'postgres' ? '23503' : 'SQLITE_CONSTRAINT_FOREIGNKEY' };
  const orphan = () => app().dataSource.query(`INSERT INTO reply (id, note_id) VALUES ('one', 'nowhere')`);

  it.each([
    ['and others were not before it', () => undefined],
    ['and others were done before it', (runner: QueryRunner) => runner.query('SELECT 1')],
  ])('is rolled back after %s, with the message of the database', async (_, beforeCommit) => {
    const effects: string[] = [];
    const { dataSource, transactor } = app();
    dataSource.subscribers.push({ beforeTransactionCommit: ({ queryRunner }) => void beforeCommit(queryRunner!) });
    const unit = transactor.run(async (current) => {
      current.afterCommit(() => effects.push('committed'));
      current.afterRollback(() => effects.push('rolled back'));
      await app().write('own');
      await orphan();
    });
    await expect(unit.finally(() => dataSource.subscribers.pop())).rejects.toMatchObject({ driverError: refusal });
    expect(effects).toEqual(['rolled back']);
    expect(await app().saved()).toEqual([]);
    await transactor.run(() => app().write('next'));
    expect(await app().saved()).toEqual(['next']);
  });

  it('is undone with the transaction of the application that it had joined', async () => {
    const effects: string[] = [];
    const transaction = app().dataSource.transaction(() =>
      app().transactor.run(async (current) => {
        current.afterCommit(() => effects.push('committed'));
        current.afterRollback(() => effects.push('rolled back'));
        await orphan();
      }),
    );
    await expect(transaction).rejects.toMatchObject({ driverError: refusal });
    expect(effects).toEqual(['rolled back']);
  });
});

onEach(['memory', 'file'], 'a unit whose transaction was ended past TypeORM', (app) => {
  it('fails, and says so, as soon as it comes to light', async () => {
    const unit = app().transactor.run(async () => {
      await app().write('own');
      const connection = (await app().dataSource.createQueryRunner().connect()) as { exec(sql: string): void };
      connection.exec('COMMIT');
      await app().notes.count();
      await expect(app().write('late')).rejects.toThrow(
        'The unit of work was rolled back: its transaction had already failed.',
      );
    });
    await expect(unit).rejects.toMatchObject({
      message: 'The unit of work was rolled back: its transaction had already failed.',
      cause: {
        message: 'The unit of work was rolled back: a statement ended the transaction (DDL commits on this database).',
      },
    });
    expect(await app().saved()).toEqual(['own']);
  });

  it('fails all the same, and logs it, when its connection cannot be given up', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockReset();
    vi.spyOn(Logger.prototype, 'warn').mockReset();
    let release = (): Promise<void> => Promise.resolve();
    const failure = new Error('undo');
    const unit = app().transactor.run(async (current) => {
      const { runner } = current['scope'].transaction;
      release = runner.release.bind(runner);
      runner.release = () => Promise.reject(new Error('stuck'));
      runner.rollbackTransaction = () => Promise.reject(new Error('broken'));
      await app().write('own');
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(logged.mock.calls).toEqual([
      ['A connection could not be closed', expect.stringContaining('Error: stuck') as string],
    ]);
    await release();
    expect(await app().saved()).toEqual([]);
  });
});

onEach(['memory', 'file'], 'a unit that the engine has rolled back', (app) => {
  it('is refused every later statement, and saves nothing', async () => {
    const { dataSource, transactor } = app();
    await app().write('taken');
    const unit = transactor.run(async () => {
      await app().write('own');
      await dataSource.query(`INSERT OR ROLLBACK INTO note (id) VALUES ('taken')`).catch(() => undefined);
      await expect(app().write('late')).rejects.toBeInstanceOf(UnitAbortedError);
      await expect(dataSource.transaction(() => app().write('late'))).rejects.toBeInstanceOf(UnitAbortedError);
    });
    await expect(unit).rejects.toMatchObject({ code: 'FILES_UNIT_ABORTED', cause: { name: 'QueryFailedError' } });
    expect(await app().saved()).toEqual(['taken']);
  });

  it('leaves a connection that works', async () => {
    const { dataSource, transactor } = app();
    await app().write('taken');
    const unit = transactor.run(() => dataSource.query(`INSERT OR ROLLBACK INTO note (id) VALUES ('taken')`));
    await expect(unit).rejects.toThrow();
    await transactor.run(() => app().write('next'));
    expect(await app().saved()).toEqual(['next', 'taken']);
  });
});

onEach(everywhere, 'a statement that would end the transaction of a unit', (app, kind) => {
  const control = ['COMMIT', 'commit;', ' ROLLBACK', '/* now */ COMMIT', '-- now\nROLLBACK', 'BEGIN'];
  const ddl = [
    'CREATE TABLE other (id int)',
    'ALTER TABLE note ADD COLUMN more int',
    'TRUNCATE TABLE note',
    'DROP TABLE IF EXISTS nothing',
    'LOCK TABLES note WRITE',
    'SET autocommit = 1',
    'START TRANSACTION',
  ];

  it.each(kind === 'mariadb' ? [...control, ...ddl] : control)('is refused: %s', async (sql) => {
    const unit = app().transactor.run(async () => {
      await app().write('own');
      await app()
        .dataSource.query(sql)
        .catch(() => undefined);
      await app()
        .write('late')
        .catch(() => undefined);
    });
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    expect(await app().saved()).toEqual([]);
    expect(await app().database.read('SELECT * FROM note')).toEqual([]);
  });

  it.runIf(kind === 'postgres')('is refused also behind another one in the same text', async () => {
    const unit = app().transactor.run(async () => {
      await app().dataSource.query('SELECT 1; COMMIT');
      await app().write('late');
    });
    await expect(unit).rejects.toMatchObject({
      cause: {
        message: 'The unit of work was rolled back: a statement ended the transaction (DDL commits on this database).',
      },
    });
    expect(await app().saved()).toEqual([]);
  });

  it('is quoted in the error, as far as it is short', async () => {
    const refused: unknown[] = [];
    const unit = app().transactor.run(async () => {
      const sql = '  COMMIT /* 7890123456789012345678901234567890123456789 */';
      await app()
        .dataSource.query(sql)
        .catch((error: unknown) => refused.push(error));
    });
    const message =
      'The unit of work was rolled back: "COMMIT /* 789012345678901234567890123456" would end its transaction.';
    await expect(unit).rejects.toMatchObject({
      message: 'The unit of work was rolled back: its transaction had already failed.',
      cause: { message },
    });
    expect(refused).toMatchObject([{ message }]);
  });

  it('is not confused with a savepoint, nor with a text that looks like one', async () => {
    const { dataSource, transactor } = app();
    await transactor.run(async () => {
      await dataSource.query('SAVEPOINT mine');
      await app().write('commit');
      await dataSource.query('ROLLBACK TO SAVEPOINT mine');
      await dataSource.query(`INSERT INTO note (id, body) VALUES ('begin', 'rollback')`);
      if (kind === 'mariadb') await dataSource.query('CREATE TEMPORARY TABLE scratch (id int)');
      if (kind === 'mariadb') await dataSource.query('DROP TEMPORARY TABLE scratch');
    });
    expect(await app().saved()).toEqual(['begin']);
  });

  it.runIf(kind !== 'mariadb')('does not include DDL, which is a part of the transaction here', async () => {
    const undo = new Error('undo');
    const unit = app().transactor.run(async () => {
      await app().dataSource.query('CREATE TABLE other (id int)');
      throw undo;
    });
    await expect(unit).rejects.toBe(undo);
    await expect(app().dataSource.query('SELECT * FROM other')).rejects.toThrow();
  });
});

onEach(everywhere, 'a unit whose subscriber fails', (app, kind) => {
  /** Adds a subscriber for the time of one unit. */
  async function withSubscriber(subscriber: object, work: () => Promise<void>): Promise<void> {
    const { subscribers } = app().dataSource;
    subscribers.push(subscriber);
    try {
      await work();
    } finally {
      subscribers.splice(subscribers.indexOf(subscriber), 1);
    }
  }

  const fail = (): Promise<never> => Promise.reject(new Error('subscriber'));

  async function committed(): Promise<void> {
    const effect = vi.fn<() => void>();
    const logged = vi.spyOn(Logger.prototype, 'error').mockReset();
    await app().transactor.run(async (unit) => {
      unit.afterCommit(effect);
      await app().write('own');
    });
    expect(effect).toHaveBeenCalledOnce();
    expect(logged.mock.calls).toEqual([
      ['A subscriber failed after the commit, which stands', expect.stringContaining('Error: subscriber') as string],
    ]);
    expect(await app().saved()).toEqual(['own']);
  }

  it('stays committed when it fails after the commit, and says so', async () => {
    await withSubscriber({ afterTransactionCommit: fail }, committed);
  });

  it.runIf(hearsStatements)('stays committed when it fails on hearing of the COMMIT, and says so', async () => {
    const afterQuery = ({ query }: { query: string }) => (query === 'COMMIT' ? fail() : undefined);
    await withSubscriber({ afterQuery }, committed);
  });

  it.runIf(hearsStatements)(
    'stays committed when it throws at once on hearing of the COMMIT, and says so',
    async () => {
      const afterQuery = ({ query }: { query: string }) => {
        if (query === 'COMMIT') throw new Error('subscriber');
      };
      await withSubscriber({ afterQuery }, committed);
    },
  );

  it.each(['beforeTransactionCommit', 'beforeInsert', 'afterTransactionStart'])(
    'is rolled back when it fails in %s',
    async (event) => {
      await withSubscriber({ [event]: fail }, async () => {
        await expect(app().transactor.run(() => app().write('own'))).rejects.toThrow('subscriber');
      });
      expect(await app().saved()).toEqual([]);
      await app().transactor.run(() => app().write('next'));
      expect(await app().saved()).toEqual(['next']);
    },
  );

  it.each(['beforeTransactionRollback', 'afterTransactionRollback'])(
    'stays rolled back when it fails in %s',
    async (event) => {
      const undo = new Error('undo');
      const warned = vi.spyOn(Logger.prototype, 'warn').mockReset();
      await withSubscriber({ [event]: fail }, async () => {
        const unit = app().transactor.run(async () => {
          await app().write('own');
          throw undo;
        });
        await expect(unit).rejects.toBe(undo);
      });
      expect(warned.mock.calls).toEqual([['ROLLBACK failed, the connection is closed: Error: subscriber']]);
      await app().transactor.run(() => app().write('next'));
      expect(await app().saved()).toEqual(['next']);
    },
  );

  it.each(['beforeQuery', 'afterQuery'])('goes on when it queries in %s and does not fail', async (event) => {
    let asked = 0;
    const ask = ({ query }: { query: string }) =>
      query.startsWith('INSERT') && asked++ === 0 ? app().notes.count() : undefined;
    await withSubscriber({ [event]: ask }, async () => {
      await app().transactor.run(() => app().write('own'), { timeout: 20_000 });
    });
    expect(asked).toBeGreaterThan(0);
    expect(await app().saved()).toEqual(['own']);
  });

  it('goes on when it queries as a nested transaction starts and ends', async () => {
    const { notes, dataSource, transactor } = app();
    const ask = () => (transactor.current() ? notes.count() : undefined);
    const every = { afterTransactionStart: ask, beforeTransactionCommit: ask, afterTransactionCommit: ask };
    await withSubscriber(every, async () => {
      await transactor.run(() => dataSource.transaction(() => app().write('own')), { timeout: 20_000 });
      await transactor.run(() => transactor.run(() => app().write('other')), { timeout: 20_000 });
    });
    expect(await app().saved()).toEqual(['other', 'own']);
  });

  it.runIf(kind === 'memory' || kind === 'file')('goes on when it queries as the root starts and ends', async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
      await app().notes.find();
    };
    const every = { afterTransactionStart: ask, beforeTransactionCommit: ask, afterTransactionCommit: ask };
    await withSubscriber(every, async () => {
      await app().transactor.run(() => app().write('own'), { timeout: 20_000 });
    });
    expect(asked).toBe(3);
    expect(await app().saved()).toEqual(['own']);
  });
});
