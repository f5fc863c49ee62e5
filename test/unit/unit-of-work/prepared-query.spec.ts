import { type EntityManager, type Logger, QueryFailedError, type QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sendSql } from '../../../lib/unit-of-work/typeorm/send-sql.js';
import { reachableDatabases } from '../../support/databases.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const INSERT = 'INSERT INTO note (id, amount) VALUES (?, ?)';

describe.each(await reachableDatabases('memory', 'file'))("the library's own statements, $name", (database) => {
  let app: NotesApp;
  let logger: Logger;
  let log: unknown[][];

  beforeAll(async () => {
    app = await openNotes(database);
    logger = app.dataSource.logger;
  });
  beforeEach(async () => {
    await app.clear();
    log = [];
    const noting = {
      logQuery: (...args: unknown[]) => log.push(['query', ...args.slice(0, 2)]),
      logQueryError: (error: Error, ...args: unknown[]) => log.push(['error', error.message, ...args.slice(0, 2)]),
      logQuerySlow: (_: number, ...args: unknown[]) => log.push(['slow', ...args.slice(0, 2)]),
    };
    Object.assign(app.dataSource, { logger: noting });
  });
  afterEach(() => {
    Object.assign(app.dataSource, { logger });
    app.dataSource.subscribers.length = 0;
    vi.restoreAllMocks();
  });
  afterAll(() => app.database.close());

  /** What all query runners of the driver inherit. */
  const inherited = () =>
    Object.getPrototypeOf(app.dataSource.createQueryRunner()) as QueryRunner & { getStmt(sql: string): unknown };

  /** The statements that TypeORM's own `query()` runs. */
  function watchTypeorm() {
    const { mock } = vi.spyOn(inherited(), 'getStmt');
    return () => mock.calls.map(([sql]) => sql);
  }

  /** What comes of a statement, and of what it logs, when it is sent again. */
  async function outcome(send: () => Promise<unknown>): Promise<unknown[]> {
    await send().catch(() => undefined);
    log.length = 0;
    const answer = await send().catch((error: unknown) => error);
    return [answer, ...log];
  }

  const CASES: [string, unknown[]][] = [
    ['SELECT id, amount FROM note ORDER BY id', []],
    ['SELECT id FROM note WHERE amount = ?', [true]],
    ['UPDATE note SET amount = ?', [false]],
    [`DELETE FROM note WHERE id = 'none'`, []],
    [`INSERT INTO note (id) VALUES (?) ON CONFLICT DO NOTHING RETURNING id, body`, ['b']],
    [INSERT, ['a', 2]],
    ['SELECT ?', []],
    ['SELECT ?', [{}]],
  ];

  it.each(CASES)('answer, fail and are logged as through TypeORM: %s, %j', async (sql, parameters) => {
    const through = async (send: (manager: EntityManager) => Promise<unknown>) => {
      await app.clear();
      await app.dataSource.query(INSERT, ['a', 1]);
      return app.transactor.run(({ manager }) => outcome(() => send(manager)));
    };
    const expected = await through((manager) => manager.query(sql, parameters));
    const throughTypeorm = watchTypeorm();
    const given = await through((manager) => sendSql(manager, sql, parameters));
    expect(given).toEqual(expected);
    expect(given[0] instanceof QueryFailedError).toBe(expected[0] instanceof Error);
    expect(throughTypeorm().slice(-2)).toEqual([expect.stringMatching(/^BEGIN /), 'COMMIT']);
  });

  it('go to the driver only once they are prepared', async () => {
    const sql = `SELECT '${database.kind} once' AS one`;
    const throughTypeorm = watchTypeorm();
    await app.transactor.run(async ({ manager }) => {
      await sendSql(manager, sql, []);
      await sendSql(manager, sql, []);
    });
    expect(throughTypeorm().filter((asked) => asked === sql)).toHaveLength(1);
  });

  it('are logged as slow when they take longer than maxQueryExecutionTime', async () => {
    const { options } = app.dataSource;
    let time = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => (time += 1000));
    Object.assign(options, { maxQueryExecutionTime: 500 });
    try {
      await app.transactor.run(({ manager }) => outcome(() => sendSql(manager, 'SELECT 1', [])));
    } finally {
      Object.assign(options, { maxQueryExecutionTime: undefined });
    }
    expect(log).toContainEqual(['slow', 'SELECT 1', []]);
  });

  it('reach a subscriber from the moment it listens, with the end of the transaction', async () => {
    const heard: unknown[] = [];
    await app.transactor.run(async ({ manager }) => {
      await sendSql(manager, INSERT, ['a', 1]);
      app.dataSource.subscribers.push({
        beforeQuery: ({ query }) => void heard.push(query),
        beforeTransactionStart: () => void heard.push('about to begin'),
        beforeTransactionCommit: () => void heard.push('about to commit'),
      });
      await sendSql(manager, INSERT, ['b', 1]);
    });
    await app.transactor.run(({ manager }) => sendSql(manager, 'SELECT 1', []));
    expect(heard).toEqual([
      INSERT,
      'about to commit',
      'COMMIT',
      'about to begin',
      expect.stringMatching(/^BEGIN /),
      'SELECT 1',
      'about to commit',
      'COMMIT',
    ]);
    expect(await app.saved()).toEqual(['a', 'b']);
  });

  it('go through a `query` that was put on the query runner', async () => {
    const asked: string[] = [];
    const { createQueryRunner } = app.dataSource.driver;
    Object.assign(app.dataSource.driver, {
      createQueryRunner: (mode: 'master') => {
        const runner = createQueryRunner(mode);
        const { query } = runner;
        return Object.assign(runner, {
          query: (sql: string, ...rest: []): Promise<unknown> => {
            asked.push(sql);
            return query(sql, ...rest);
          },
        });
      },
    });
    try {
      await app.transactor.run(({ manager }) => outcome(() => sendSql(manager, 'SELECT 1', [])));
    } finally {
      Object.assign(app.dataSource.driver, { createQueryRunner });
    }
    expect(asked).toEqual(['BEGIN TRANSACTION', 'SELECT 1', 'SELECT 1', 'COMMIT']);
  });

  it('go through a `query` that was put on the class of query runners', async () => {
    const query = vi.spyOn(inherited(), 'query');
    await app.transactor.run(({ manager }) => outcome(() => sendSql(manager, 'SELECT 1', [])));
    expect(query.mock.calls.filter(([sql]) => sql === 'SELECT 1')).toHaveLength(2);
  });

  it('run at the isolation that the data source is configured with', async () => {
    Object.assign(app.dataSource.options, { isolationLevel: 'READ UNCOMMITTED' });
    try {
      await app.transactor.run(({ manager }) => sendSql(manager, 'SELECT 1', []));
    } finally {
      Object.assign(app.dataSource.options, { isolationLevel: undefined });
    }
    expect(log.map(([, sql]) => sql)).toContain('PRAGMA read_uncommitted = true');
  });

  it('leave no transaction behind where the COMMIT is refused', async () => {
    const { databaseConnection } = app.dataSource.driver as unknown as {
      databaseConnection: { inTransaction: boolean };
    };
    await app.dataSource.query('CREATE TABLE parent (id INTEGER PRIMARY KEY)');
    await app.dataSource.query('CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)');
    const unit = app.transactor.run(({ manager }) => sendSql(manager, 'INSERT INTO child VALUES (1)', []));
    await expect(unit).rejects.toThrow('FOREIGN KEY');
    expect(databaseConnection.inTransaction).toBe(false);
    await app.transactor.run(() => app.write('after'));
    expect(await app.saved()).toEqual(['after']);
  });
});
