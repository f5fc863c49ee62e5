import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { EntitySubscriberInterface } from 'typeorm';
import { nameStatement } from '../../../lib/unit-of-work/dialects/postgres-client.js';
import { reachableDatabases } from '../../support/databases.js';
import { proxied } from '../../support/proxied-database.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp } from '../../support/unit-notes.js';

interface PgClient {
  readonly constructor: {
    readonly Query: new (text: string, values: unknown[], callback: (error: unknown) => void) => object;
  };
  query(query: unknown, values?: unknown[]): Promise<unknown>;
}

const INSERT = "INSERT INTO note (id, body) VALUES ($1, 'inserted')";
const BEGIN = 'START TRANSACTION ISOLATION LEVEL READ COMMITTED';
const failure = new Error('undo');

describe.each(await reachableDatabases('postgres'))('BEGIN, held back on $name,', (database) => {
  let app: NotesApp;
  let proxy: TcpProxy;

  beforeAll(async () => {
    const open = await proxied(database).open({ entities: [Note], poolSize: 1 });
    proxy = open.proxy;
    app = appOn(open.dataSource, open);
  });

  afterAll(() => app.database.close());

  beforeEach(async () => {
    proxy.disarm();
    await app.clear();
    proxy.arm();
  });

  const client = async () => (await app.dataSource.createQueryRunner().connect()) as PgClient;

  it('goes with the first statement: both reach the server at once', async () => {
    proxy.arm({ cut: 'sent', at: /^INSERT/ });
    await expect(app.transactor.run(() => app.dataSource.query(INSERT, ['a']))).rejects.toThrow(/terminated/);
    expect(proxy.statements).toEqual([BEGIN, INSERT]);
    expect(await app.saved()).toEqual([]);
  });

  it('is not sent where nothing comes after it', async () => {
    await app.transactor.run(() => undefined);
    await expect(app.transactor.run(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(proxy.statements).toEqual([]);
  });

  it.each([
    ['a statement with parameters', () => app.dataSource.query(INSERT, ['a'])],
    ['one without', () => app.dataSource.query("INSERT INTO note (id) VALUES ('a')")],
    ['several in one text', () => app.dataSource.query("SELECT 1; INSERT INTO note (id) VALUES ('a')")],
    ['a named one', () => app.dataSource.query(nameStatement(app.dataSource, INSERT), ['a'])],
    ['a nested transaction', () => app.dataSource.transaction((manager) => manager.insert(Note, { id: 'a' }))],
    ["the driver's own connection", async () => (await client()).query(INSERT, ['a'])],
  ] as [string, () => Promise<unknown>][])('comes before %s', async (_, write) => {
    const unit = app.transactor.run(async () => {
      await write();
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(await app.saved()).toEqual([]);
    await app.transactor.run(write);
    expect(await app.saved()).toEqual(['a']);
  });

  it('comes before statements that a subscriber sends past TypeORM', async () => {
    const subscriber: EntitySubscriberInterface = {
      async afterTransactionStart({ queryRunner }) {
        const pg = (await queryRunner!.connect()) as PgClient;
        const { Query } = pg.constructor;
        await new Promise<unknown>((resolve) => void pg.query(new Query(INSERT, ['a'], resolve)));
      },
    };
    app.dataSource.subscribers.push(subscriber);
    onTestFinished(() => void app.dataSource.subscribers.pop());
    await expect(app.transactor.run(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(proxy.statements).toEqual([BEGIN, INSERT, 'ROLLBACK']);
    expect(await app.saved()).toEqual([]);
  });

  it.each(['READ COMMITTED', 'SERIALIZABLE'] as const)('sets the isolation to %s', async (isolationLevel) => {
    const sql = 'SELECT current_setting($1) AS level';
    const read = () => app.dataSource.query<object[]>(sql, ['transaction_isolation']);
    const show = () => app.dataSource.query<object[]>('SHOW transaction_isolation');
    const level = isolationLevel.toLowerCase();
    expect(await app.transactor.run(read, { isolationLevel })).toEqual([{ level }]);
    expect(await app.transactor.run(show, { isolationLevel })).toEqual([{ transaction_isolation: level }]);
  });

  // A connection that somebody left in a failed transaction refuses BEGIN.
  async function spoil(): Promise<() => Promise<unknown>> {
    const runner = app.dataSource.createQueryRunner();
    await runner.query('BEGIN');
    await expect(runner.query('SELECT 1 / 0')).rejects.toThrow('division by zero');
    await runner.release();
    return () => app.dataSource.query('ROLLBACK');
  }

  it.each([
    ['with a statement', () => app.dataSource.query(INSERT, ['a'])],
    ['before one', () => app.dataSource.query("INSERT INTO note (id) VALUES ('a')")],
  ])('fails the unit where it fails %s, whatever becomes of the error', async (_, write) => {
    const restore = await spoil();
    const unit = app.transactor.run(async () => {
      await expect(write()).rejects.toMatchObject({ driverError: { code: '25P02' } });
      await expect(app.dataSource.query(INSERT, ['b'])).rejects.toMatchObject({ name: 'UnitAbortedError' });
    });
    await expect(unit).rejects.toMatchObject({ name: 'UnitAbortedError' });
    await restore();
    expect(await app.saved()).toEqual([]);
  });

  it('is sent at once in a transaction of the application', async () => {
    await app.transactor.run(() => app.dataSource.query(INSERT, ['a']));
    proxy.arm();
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction('SERIALIZABLE');
    expect(proxy.statements).toEqual(['START TRANSACTION', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE']);
    await runner.rollbackTransaction();
    await runner.release();
  });

  it('is sent at once by a client that sends statements without waiting for the answers', async () => {
    const pipelined = await app.database.connect({ extra: { pipeline: true } } as object);
    const other = appOn(pipelined, app.database);
    const unit = other.transactor.run(async () => {
      await pipelined.createQueryRunner().connect();
      await pipelined.query(INSERT, ['a']);
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(await app.saved()).toEqual([]);
    await other.transactor.run(() => pipelined.query(INSERT, ['a']));
    expect(await app.saved()).toEqual(['a']);
    await pipelined.destroy();
  });

  it('leaves the result of the statement as it is', async () => {
    await app.write('a');
    const first = (sql: string, values: unknown[]) =>
      app.transactor.run(() => app.dataSource.query<unknown>(sql, values));
    expect(await first('UPDATE note SET body = $1', ['x'])).toEqual([[], 1]);
    expect(await first('SELECT id FROM note WHERE body = $1', ['x'])).toEqual([{ id: 'a' }]);
    expect(await first('DELETE FROM note WHERE body = $1 RETURNING id', ['x'])).toEqual([[{ id: 'a' }], 1]);
  });

  it('is a separate statement, with which no other is prepared', async () => {
    const sql = nameStatement(app.dataSource, 'SELECT $1::int + 50 AS n');
    const ask = () => app.dataSource.query<object[]>(sql, [2]);
    const prepared = 'SELECT statement FROM pg_prepared_statements ORDER BY statement';
    const kept = await app.transactor.run(async () => {
      await app.dataSource.query(INSERT, ['a']);
      expect([await ask(), await ask()]).toEqual([[{ n: 52 }], [{ n: 52 }]]);
      return app.dataSource.query<{ statement: string }[]>(prepared);
    });
    expect(kept.map(({ statement }) => statement)).toContain(sql);
    expect(kept.map(({ statement }) => statement)).not.toContain(BEGIN);
  });

  it('leaves named statements as they were where it fails', async () => {
    const sql = nameStatement(app.dataSource, 'SELECT $1::int + 40 AS n');
    const ask = () => app.transactor.run(() => app.dataSource.query<object[]>(sql, [2]));
    const restore = await spoil();
    await expect(ask()).rejects.toMatchObject({ driverError: { code: '25P02' } });
    await restore();
    expect(await ask()).toEqual([{ n: 42 }]);
    expect(await ask()).toEqual([{ n: 42 }]);
  });

  it('leaves a named statement that cannot be prepared to the next attempt', async () => {
    const sql = nameStatement(app.dataSource, 'SELECT body FROM later WHERE body = $1');
    const ask = () => app.transactor.run(() => app.dataSource.query<object[]>(sql, ['x']));
    await expect(ask()).rejects.toMatchObject({ driverError: { code: '42P01' } });
    await app.dataSource.query("CREATE TEMPORARY TABLE later AS SELECT 'x'::text AS body");
    expect(await ask()).toEqual([{ body: 'x' }]);
  });
});
