import { describe, expect, it, onTestFinished } from 'vitest';
import { nameStatement } from '../../../lib/unit-of-work/dialects/postgres-client.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { Note } from '../../support/unit-entities.js';

describe.each(await reachableDatabases('postgres'))('named statements on $name', (database) => {
  async function open() {
    const { dataSource, close } = await database.open({ entities: [Note], poolSize: 1 });
    const transactor = new Transactor(dataSource);
    onTestFinished(async () => {
      transactor.close();
      await close();
    });
    const ask = (sql: string, value: number) =>
      transactor.run(({ manager }) => manager.query<{ n: number }[]>(sql, [value]));
    const kept = () => dataSource.query<{ statement: string }[]>('SELECT statement FROM pg_prepared_statements');
    return { dataSource, transactor, ask, kept };
  }

  it('are planned once for a connection, with the same results', async () => {
    const { dataSource, ask, kept } = await open();
    const sql = nameStatement(dataSource, 'SELECT $1::int + 1 AS n');
    for (const value of [1, 2, 3]) expect(await ask(sql, value)).toEqual([{ n: value + 1 }]);
    expect(await kept()).toEqual([{ statement: sql }]);
  });

  it('leave all other statements as they are', async () => {
    const { dataSource, ask, kept } = await open();
    nameStatement(dataSource, 'SELECT $1::int + 1 AS n');
    expect(await ask('SELECT $1::int + 2 AS n', 1)).toEqual([{ n: 3 }]);
    expect(await kept()).toEqual([]);
  });

  it('fail like others, and work again in the next unit of work', async () => {
    const { dataSource, ask } = await open();
    const sql = nameStatement(dataSource, 'SELECT 10 / $1::int AS n');
    await expect(ask(sql, 0)).rejects.toMatchObject({ name: 'QueryFailedError', driverError: { code: '22012' } });
    expect(await ask(sql, 5)).toEqual([{ n: 2 }]);
  });
});
