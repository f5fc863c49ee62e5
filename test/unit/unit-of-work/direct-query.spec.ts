import { type DataSource, type Logger, QueryFailedError } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const onPostgres = await reachableDatabases('postgres');

/** Notes what a data source logs. */
function logOf(dataSource: DataSource): { log: unknown[][]; restore: () => void } {
  const log: unknown[][] = [];
  const { logger } = dataSource;
  const noting = {
    logQuery: (...args: unknown[]) => log.push(['query', ...args.slice(0, 2)]),
    logQueryError: (error: Error, ...args: unknown[]) => log.push(['error', error.message, ...args.slice(0, 2)]),
    logQuerySlow: (_: number, ...args: unknown[]) => log.push(['slow', ...args.slice(0, 2)]),
  };
  Object.assign(dataSource, { logger: noting as unknown as Logger });
  return { log, restore: () => void Object.assign(dataSource, { logger }) };
}

describe.each(onPostgres)('statements of a unit, $name', (database) => {
  let app: NotesApp;
  let log: unknown[][];
  let restore: () => void;

  beforeAll(async () => {
    app = await openNotes(database);
  });
  beforeEach(async () => {
    await app.clear();
    ({ log, restore } = logOf(app.dataSource));
  });
  afterEach(() => {
    restore();
    app.dataSource.subscribers.length = 0;
  });
  afterAll(() => app.database.close());

  const BEGIN = ['query', 'START TRANSACTION ISOLATION LEVEL READ COMMITTED', undefined];
  const INSERT = ['query', 'INSERT INTO note (id) VALUES ($1)', ['a']];
  const insert = (id: string) => app.dataSource.query('INSERT INTO note (id) VALUES ($1)', [id]);

  it('are logged, with BEGIN and COMMIT', async () => {
    await app.transactor.run(() => insert('a'));
    expect(log).toEqual([BEGIN, INSERT, ['query', 'COMMIT', undefined]]);
  });

  it('fail with the errors of TypeORM, which are logged', async () => {
    await insert('a');
    log.length = 0;
    const error: unknown = await app.transactor.run(() => insert('a')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(QueryFailedError);
    expect(error).toMatchObject({ query: INSERT[1], parameters: ['a'], driverError: { code: '23505' } });
    expect(log).toEqual([
      BEGIN,
      INSERT,
      ['error', expect.stringContaining('duplicate'), ...INSERT.slice(1)],
      ['query', 'ROLLBACK', undefined],
    ]);
  });

  it.each([
    'SELECT id FROM note',
    `INSERT INTO note (id) VALUES ('b') RETURNING id, body`,
    `UPDATE note SET body = 'x' WHERE id = 'a'`,
    `DELETE FROM note WHERE id = 'none'`,
    'SELECT 1; SELECT 2',
    '',
  ])('answer as through a query runner of TypeORM: %s', async (sql) => {
    await insert('a');
    const own = app.dataSource.createQueryRunner();
    await own.startTransaction();
    const expected: unknown[] = [await own.query(sql), await own.query('SELECT 1 AS one', [], true)];
    await own.rollbackTransaction();
    await own.release();
    const given = await app.transactor.run(async ({ manager }) => {
      const { queryRunner } = manager;
      return [await queryRunner?.query(sql), await queryRunner?.query('SELECT 1 AS one', [], true)];
    });
    expect(given).toEqual(expected);
  });

  it('reach a subscriber from the moment it listens, with the end of the transaction', async () => {
    const heard: unknown[] = [];
    await app.transactor.run(async () => {
      await insert('a');
      app.dataSource.subscribers.push({
        beforeQuery: ({ query }) => void heard.push(query),
        beforeTransactionCommit: () => void heard.push('about to commit'),
      });
      await insert('b');
    });
    expect(heard).toEqual([INSERT[1], 'about to commit', 'COMMIT']);
    expect(await app.saved()).toEqual(['a', 'b']);
  });

  it('are logged as slow when they take longer than maxQueryExecutionTime', async () => {
    const { options } = app.dataSource;
    const now = vi.spyOn(Date, 'now');
    let time = 0;
    now.mockImplementation(() => (time += 1000));
    Object.assign(options, { maxQueryExecutionTime: 500 });
    try {
      await app.transactor.run(() => insert('a'));
    } finally {
      Object.assign(options, { maxQueryExecutionTime: undefined });
      now.mockRestore();
    }
    expect(log).toContainEqual(['slow', ...INSERT.slice(1)]);
  });
});
