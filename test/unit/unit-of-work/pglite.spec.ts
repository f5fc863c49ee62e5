import type { Socket } from 'node:net';
import { DataSource, QueryFailedError } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SecondConnectionMissingError, UnitAbortedError, UnitTimeoutError } from '../../../lib/errors/units.errors.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { sharesConnection } from '../../../lib/unit-of-work/one-connection/shared-connection.js';
import { isPglite, type PostgresConnection } from '../../../lib/unit-of-work/one-connection/pglite.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { PGLITES } from '../../support/pglite.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(PGLITES)('$name', (database) => {
  let app: NotesApp;

  beforeAll(async () => void (app = await openNotes(database)));
  beforeEach(() => app.clear());
  afterAll(() => app.database.close());

  it('is recognised by its first statement', () => {
    expect(sharesConnection(app.dataSource)).toBe(true);
  });

  it('fails a unit whose code swallowed an error', async () => {
    const unit = app.transactor.run(async () => {
      await app.write('undone');
      await app.dataSource.query('SELECT * FROM no_such_table').catch(() => undefined);
    });
    await expect(unit).rejects.toThrow(UnitAbortedError);
    expect(await app.saved()).toEqual([]);
  });

  it('goes to the next unit when a COMMIT fails', async () => {
    await app.dataSource.query(
      'CREATE TABLE line (note varchar(40) REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    const order: string[] = [];
    const failing = app.transactor.run(() => app.dataSource.query(`INSERT INTO line VALUES ('nowhere')`));
    const next = app.transactor.run(() => app.write('next'));
    await Promise.all([
      failing.catch((error: unknown) => order.push((error as { driverError: { code: string } }).driverError.code)),
      next.then(() => order.push('next')),
    ]);
    expect([order, await app.saved()]).toEqual([['23503', 'next'], ['next']]);
  });

  it('runs units at the isolation that they ask for', async () => {
    const level = () => app.dataSource.query<object[]>('SHOW transaction_isolation');
    expect(await app.transactor.run(level, { isolationLevel: 'SERIALIZABLE' })).toEqual([
      { transaction_isolation: 'serializable' },
    ]);
    expect(await app.transactor.run(level)).toEqual([{ transaction_isolation: 'read committed' }]);
  });

  it('serves the next unit after one that took too long', async () => {
    const never = gate();
    const unit = app.transactor.run(
      async () => {
        await app.write('undone');
        await never.opened;
      },
      { timeout: 100 },
    );
    await expect(unit).rejects.toThrow(UnitTimeoutError);
    await app.transactor.run(() => app.write('next'));
    expect(await app.saved()).toEqual(['next']);
    never.open();
  });

  it('stays with a query runner from its BEGIN to its end', async () => {
    const runner = app.dataSource.createQueryRunner();
    await runner.query('BEGIN');
    await runner.query(`INSERT INTO note (id) VALUES ('undone')`);
    const next = app.write('next');
    await runner.query('ROLLBACK');
    await next;
    await runner.release();
    expect(await app.saved()).toEqual(['next']);
  });

  it('serves more query runners at once than a connection has listeners', async () => {
    const ids = Array.from({ length: 30 }, (_, i) => String(i).padStart(2, '0'));
    await Promise.all(ids.map((id) => app.transactor.run(() => app.write(id))));
    expect(await app.saved()).toEqual(ids);
  });
});

describe('PGlite behind a socket', () => {
  it('is connected to anew where the connection breaks inside of a unit', async () => {
    const app = await openNotes(PGLITES[1]!);
    const waiting: Promise<unknown>[] = [];
    const broken = app.transactor.run(async ({ manager }) => {
      await app.write('undone');
      waiting.push(detach(() => app.transactor.run(() => app.write('waiting'))));
      const client = (await manager.queryRunner!.connect()) as { connection: { stream: Socket } };
      client.connection.stream.destroy();
      await app.write('lost');
    });
    await expect(broken).rejects.toThrow(QueryFailedError);
    await Promise.allSettled(waiting);
    await app.transactor.run(() => app.write('next'));
    expect(await app.saved()).toContain('next');
    expect(await app.saved()).not.toContain('undone');
    await app.database.close();
  });
});

describe('PGlite in this process', () => {
  it('takes turns between all data sources of the process', async () => {
    const app = await openNotes(PGLITES[0]!);
    const other = await new DataSource({ ...app.dataSource.options, synchronize: false }).initialize();
    const transactor = new Transactor(other);
    const [entered, end] = [gate(), gate()];
    const failing = app.transactor.run(async () => {
      await app.write('undone');
      entered.open();
      await end.opened;
      throw new Error('no');
    });
    await entered.opened;
    const next = transactor.run(({ manager }) => manager.insert(Note, { id: 'next' }));
    end.open();
    await expect(failing).rejects.toThrow('no');
    await next;
    expect(await app.saved()).toEqual(['next']);
    const inside = app.transactor.run(() => transactor.run(({ manager }) => manager.insert(Note, { id: 'inside' })));
    await expect(inside).rejects.toThrow(SecondConnectionMissingError);
    transactor.close();
    await app.database.close();
  });
});

describe('a reply of PGlite without a command tag', () => {
  const older = (failing: boolean) => {
    const sent: string[] = [];
    const connection: PostgresConnection = {
      query: (sql) => {
        sent.push(sql);
        if (failing && sql.startsWith('SAVEPOINT'))
          return Promise.reject(Object.assign(new Error('aborted'), { code: '25P02' }));
        const rows = sql.startsWith('SELECT') ? [{ version: 'PostgreSQL 17.5, compiled by emcc (Emscripten)' }] : [];
        return Promise.resolve({ rows, affectedRows: sql.startsWith('update') ? 2 : 0 });
      },
    };
    return { connection, sent };
  };

  it('reports the kind of a statement that PGlite leaves out', async () => {
    const { connection } = older(false);
    expect(await isPglite(connection)).toBe(true);
    expect(await connection.query('update note set id = id')).toMatchObject({ command: 'UPDATE', rowCount: 2 });
    expect(await connection.query('SELECT 1')).toMatchObject({ command: 'SELECT', rowCount: 1 });
    expect(await connection.query('COMMIT')).toMatchObject({ command: 'COMMIT' });
  });

  it('rolls a failed transaction back in place of a COMMIT', async () => {
    const { connection, sent } = older(true);
    await isPglite(connection);
    expect(await connection.query('COMMIT')).toMatchObject({ command: 'ROLLBACK' });
    expect(sent.slice(1)).toEqual(['SAVEPOINT nestjs_files', 'ROLLBACK']);
  });
});

describe.each(await reachableDatabases('postgres'))('$name', (database) => {
  it('keeps its query runners unchanged', async () => {
    const app = await openNotes(database);
    await app.transactor.run(() => app.write('own'));
    expect(sharesConnection(app.dataSource)).toBe(false);
    const runner = app.dataSource.createQueryRunner();
    expect(['connect', 'query', 'release'].filter((member) => Object.hasOwn(runner, member))).toEqual([]);
    await app.database.close();
  });

  it('is not taken for PGlite where its process has the number of PGlite’s', async () => {
    const query = () => Promise.resolve({ command: 'SELECT', rows: [{ version: 'PostgreSQL 15.14 on x86_64' }] });
    expect(await isPglite({ processID: 42, query })).toBe(false);
    expect(await isPglite({ processID: 43, query: () => Promise.reject(new Error('asked')) })).toBe(false);
  });
});
