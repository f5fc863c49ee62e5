import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { proxied } from '../../support/proxied-database.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp } from '../../support/unit-notes.js';

interface Connection {
  query(sql: string, answer?: (error: Error | null) => void): { stream(): AsyncIterable<unknown> };
}

const BEGIN = 'BEGIN NOT ATOMIC SET TRANSACTION ISOLATION LEVEL READ COMMITTED\n; START TRANSACTION\n; ';
const INSERT = "INSERT INTO note (id, body) VALUES (?, 'inserted')";
const COUNT = 'SELECT COUNT(*) AS n FROM note';
const failure = new Error('undo');

describe.each(await reachableDatabases('mariadb'))('BEGIN, held back on $name,', (database) => {
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

  const query = (sql: string, values?: unknown[]) => app.dataSource.query<object[]>(sql, values);
  const client = async () => (await app.dataSource.createQueryRunner().connect()) as Connection;

  it('is one statement with a first SELECT', async () => {
    expect(await app.transactor.run(() => query('SELECT ? AS n', [1]))).toEqual([{ n: 1 }]);
    expect(proxy.statements).toEqual([`${BEGIN}SELECT 1 AS n\n; END`, 'COMMIT']);
  });

  it('is one statement by itself where another comes first', async () => {
    await app.transactor.run(() => query(INSERT, ['a']));
    expect(proxy.statements).toEqual([`${BEGIN}END`, INSERT.replace('?', "'a'"), 'COMMIT']);
  });

  it('is not sent where nothing comes after it', async () => {
    await app.transactor.run(() => undefined);
    await expect(app.transactor.run(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(proxy.statements).toEqual([]);
  });

  it('goes once, whatever comes after it', async () => {
    await app.transactor.run(async () => {
      await query(COUNT);
      await query(COUNT);
      await query(INSERT, ['a']);
    });
    expect(proxy.statements.filter((sql) => sql.startsWith('BEGIN'))).toHaveLength(1);
    expect(await app.saved()).toEqual(['a']);
  });

  it('is as TypeORM has it on a server of another make', async () => {
    const { driver } = app.dataSource;
    const { version } = driver;
    driver.version = '8.4.3';
    onTestFinished(() => void (driver.version = version));
    expect(await app.transactor.run(() => query('SELECT 1 AS n'))).toEqual([{ n: 1 }]);
    const begin = ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'];
    expect(proxy.statements).toEqual([...begin, 'SELECT 1 AS n', 'COMMIT']);
  });

  async function readAll(): Promise<void> {
    for await (const row of (await client()).query('SELECT 1 AS n').stream()) expect(row).toEqual({ n: 1 });
  }

  it.each([
    ['a read', async () => void (await query(COUNT))],
    ['a read of what it locks', async () => void (await query(`${COUNT} FOR UPDATE`))],
    ['a read that ends in a comment', async () => void (await query(`${COUNT} -- all of them`))],
    ['a read without rows', async () => void (await query('SELECT id INTO @id FROM note'))],
    ['a find by TypeORM', async () => void (await app.notes.findBy({ id: 'a' }))],
    ['a nested transaction', async () => void (await app.dataSource.transaction(() => query(COUNT)))],
    ["a stream of the driver's own", readAll],
    ['a stream of rows', async () => void (await app.dataSource.createQueryRunner().stream(COUNT)).resume()],
  ] as [string, () => Promise<void>][])('comes before %s', async (_, read) => {
    const work = async () => {
      await read();
      await query(INSERT, ['a']);
    };
    const unit = app.transactor.run(async () => {
      await work();
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(await app.saved()).toEqual([]);
    await app.transactor.run(work);
    expect(await app.saved()).toEqual(['a']);
  });

  it('comes before what is written past the query runner', async () => {
    const write = async () => {
      const connection = await client();
      await new Promise<void>((resolve, reject) => {
        connection.query(INSERT.replace('?', "'a'"), (error) => (error ? reject(error) : resolve()));
      });
    };
    const unit = app.transactor.run(async () => {
      await write();
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(await app.saved()).toEqual([]);
  });

  it.each([
    ['no row', 'SELECT id FROM note WHERE id = ?', ['none'], []],
    ['one', 'SELECT id, amount FROM note WHERE id = ?', ['a'], [{ id: 'a', amount: 0 }]],
    ['several', 'SELECT id FROM note WHERE id IN (?) ORDER BY id', [['a', 'b']], [{ id: 'a' }, { id: 'b' }]],
  ])('leaves the answer to a read as it is: %s', async (_, sql, values, rows) => {
    await query(INSERT, ['a']);
    await query(INSERT, ['b']);
    expect(await app.transactor.run(() => query(sql, values))).toEqual(rows);
  });

  it.each([
    ['READ COMMITTED', '1'],
    ['REPEATABLE READ', '0'],
  ] as const)('sets the isolation to %s: a second read counts %s', async (isolationLevel, n) => {
    const another = await app.database.connect({ entities: [Note] });
    const seen = app.transactor.run(
      async () => {
        await query(COUNT);
        await another.query(INSERT, ['a']);
        return query(COUNT);
      },
      { isolationLevel },
    );
    expect(await seen).toEqual([{ n }]);
  });

  it('is not undone by a first read that fails: what comes after it is in the transaction', async () => {
    const work = async () => {
      await expect(query('SELECT * FROM nothing')).rejects.toMatchObject({ driverError: { errno: 1146 } });
      await query(INSERT, ['a']);
    };
    const unit = app.transactor.run(async () => {
      await work();
      throw failure;
    });
    await expect(unit).rejects.toBe(failure);
    expect(await app.saved()).toEqual([]);
    await app.transactor.run(work);
    expect(await app.saved()).toEqual(['a']);
  });

  // What somebody left on the connection is neither the unit's nor is it committed with it.
  it.each([
    ['a read', 'an open transaction', COUNT, 'START TRANSACTION'],
    ['a write', 'an open transaction', INSERT.replace('?', "'b'"), 'START TRANSACTION'],
    ['a read', 'an XA transaction', COUNT, "XA START 'left'"],
    ['a write', 'an XA transaction', INSERT.replace('?', "'b'"), "XA START 'left'"],
  ])('fails the unit where it fails before %s in %s, whatever becomes of the error', async (_, __, first, left) => {
    const runner = app.dataSource.createQueryRunner();
    await runner.query(left);
    await runner.query(INSERT, ['left']);
    await runner.release();
    const unit = app.transactor.run(async () => {
      await query(first).catch(() => undefined);
      await query(INSERT, ['a']).catch(() => undefined);
    });
    await expect(unit).rejects.toMatchObject({ name: 'UnitAbortedError' });
    expect(await app.saved()).toEqual([]);
    await app.transactor.run(() => query(INSERT, ['next']));
    expect(await app.saved()).toEqual(['next']);
  });

  it('fails the unit where the connection breaks with it', async () => {
    proxy.arm({ cut: 'reply', at: /^BEGIN NOT ATOMIC/ });
    const unit = app.transactor.run(async () => {
      await query(COUNT).catch(() => undefined);
      await query(INSERT, ['a']).catch(() => undefined);
    });
    await expect(unit).rejects.toMatchObject({ name: 'UnitAbortedError' });
    proxy.disarm();
    expect(await app.saved()).toEqual([]);
  });
});
