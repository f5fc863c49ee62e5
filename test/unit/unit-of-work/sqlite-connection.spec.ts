import BetterSqlite from 'better-sqlite3';
import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LeaseTimeoutError } from '../../../lib/errors/units.errors.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp, openNotes } from '../../support/unit-notes.js';
import { hearsStatements } from '../../support/versions.js';

describe.each(await reachableDatabases('file'))('the one connection of $name', (database) => {
  let app: NotesApp;

  beforeEach(async () => void (app = await openNotes(database)));
  afterEach(() => app.database.close());

  const path = () => String(app.dataSource.options.database);

  /** Another application on the same file. */
  async function another(options: object): Promise<NotesApp> {
    const dataSource = new DataSource({
      type: 'better-sqlite3',
      database: path(),
      entities: [Note],
      ...options,
    } as DataSourceOptions);
    await dataSource.initialize();
    onTestFinished(() => dataSource.destroy());
    return appOn(dataSource, app.database);
  }

  /** A connection past TypeORM. */
  function connection(): BetterSqlite.Database {
    const made = new BetterSqlite(path(), { timeout: 0 });
    onTestFinished(() => void made.close());
    return made;
  }

  const busyTimeout = async (dataSource: DataSource) =>
    (await dataSource.query<{ timeout: number }[]>('PRAGMA busy_timeout'))[0]?.timeout;

  it('does not block in SQLite, also once it was opened anew, until the last transactor closes', async () => {
    const { dataSource, transactor } = await another({ timeout: 1_234 });
    expect(await busyTimeout(dataSource)).toBe(0);
    await dataSource.destroy();
    await dataSource.initialize();
    expect(await busyTimeout(dataSource)).toBe(0);
    transactor.close();
    expect(await busyTimeout(dataSource)).toBe(1_234);
  });

  it('prepares each statement once, whichever caller runs it', async () => {
    await app.notes.count();
    const { databaseConnection } = app.dataSource.driver as unknown as { databaseConnection: BetterSqlite.Database };
    const prepared = vi.spyOn(databaseConnection, 'prepare');
    await app.notes.count();
    await app.transactor.run(() => Promise.all([app.notes.count(), app.notes.count()]));
    const counts = prepared.mock.calls.filter(([sql]) => sql.startsWith('SELECT COUNT'));
    prepared.mockRestore();
    expect(counts).toEqual([]);
  });

  it('is TypeORM’s own again, with its query runner, when the last transactor has closed', async () => {
    app.transactor.close();
    const runner = app.dataSource.createQueryRunner();
    const members = ['query', 'release', 'startTransaction'];
    expect(members.filter((member) => Object.hasOwn(runner, member))).toEqual([]);
    await runner.manager.insert(Note, { id: 'own' });
    expect(await app.saved()).toEqual(['own']);
  });

  it('has SQLite’s usual patience again where none was configured', async () => {
    const { dataSource, transactor } = await another({});
    expect(await busyTimeout(dataSource)).toBe(0);
    transactor.close();
    expect(await busyTimeout(dataSource)).toBe(5_000);
  });

  it('is left alone by a transactor that closes after it was closed', async () => {
    const { dataSource, transactor } = await another({});
    await dataSource.destroy();
    transactor.close();
    await dataSource.initialize();
    expect(await busyTimeout(dataSource)).toBe(5_000);
  });

  it('reads in units of work where it may not write', async () => {
    await app.write('own');
    const reader = await another({ readonly: true });
    expect(await reader.transactor.run(() => reader.notes.count())).toBe(1);
    await expect(reader.transactor.run(() => reader.write('late'))).rejects.toThrow('readonly');
  });

  it.runIf(hearsStatements)('waits at COMMIT for readers of the file', async () => {
    const reader = connection();
    reader.exec('BEGIN');
    reader.prepare('SELECT * FROM note').all();
    const refusals: unknown[] = [];
    app.dataSource.subscribers.push({
      afterQuery: ({ query, success }) => {
        if (query !== 'COMMIT' || success) return;
        refusals.push(query);
        if (reader.inTransaction) reader.exec('COMMIT');
      },
    });
    await app.transactor.run(() => app.write('own'));
    expect(refusals.length).toBeGreaterThan(0);
    expect(await app.saved()).toEqual(['own']);
  });

  it('is in no transaction when BEGIN has failed, and the same query runner may try again', async () => {
    const { dataSource } = await another({ timeout: 0 });
    const writer = connection();
    writer.exec('BEGIN IMMEDIATE');
    const runner = dataSource.createQueryRunner();
    await expect(runner.startTransaction()).rejects.toMatchObject({ driverError: { code: 'SQLITE_BUSY' } });
    expect(runner.isTransactionActive).toBe(false);
    writer.exec('COMMIT');
    await runner.startTransaction();
    await runner.manager.insert(Note, { id: 'own' });
    await runner.commitTransaction();
    await runner.release();
    expect(await app.saved()).toEqual(['own']);
  });

  it.runIf(hearsStatements)('stays in its transaction when a savepoint fails', async () => {
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Note, { id: 'own' });
    const refused = new Error('refused');
    const beforeQuery = ({ query }: { query: string }) =>
      query.startsWith('SAVEPOINT') ? Promise.reject(refused) : undefined;
    app.dataSource.subscribers.push({ beforeQuery });
    await expect(runner.startTransaction()).rejects.toBe(refused);
    expect(runner.isTransactionActive).toBe(true);
    await runner.commitTransaction();
    await runner.release();
    expect(await app.saved()).toEqual(['own']);
  });

  it('is not in a transaction any more when its query runner is released in the middle of it', async () => {
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.startTransaction();
    await runner.release();
    expect([
      runner.isTransactionActive,
      (runner as QueryRunner & { transactionDepth: number }).transactionDepth,
    ]).toEqual([false, 0]);
  });

  it('keeps its transaction when a query runner that does not have it is released', async () => {
    const idle = app.dataSource.createQueryRunner();
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Note, { id: 'own' });
    await idle.release();
    await runner.commitTransaction();
    await runner.release();
    expect(await app.saved()).toEqual(['own']);
  });

  it('refuses older query runners, with an error that says where', async () => {
    const older = app.dataSource.createQueryRunner();
    const refusal = (where: string) =>
      `A second connection was asked for inside ${where}, which holds the only one. ` +
      'Use the data source or repositories in place of an older query runner, or do the work in afterCommit().';
    const ask = () => older.query('SELECT 1');
    await expect(app.transactor.run(ask)).rejects.toMatchObject({ message: refusal('a unit of work') });
    await expect(app.dataSource.transaction(ask)).rejects.toMatchObject({ message: refusal('a transaction') });
  });

  it('makes work that goes on after its unit wait', async () => {
    const next = gate();
    let late: Promise<unknown> = Promise.resolve();
    await app.transactor.run(() => {
      late = next.opened.then(() => app.transactor.run(() => app.write('late')));
    });
    await app.transactor.run(async () => {
      await app.write('own');
      next.open();
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    });
    await late;
    expect(await app.saved()).toEqual(['late', 'own']);
  });

  describe('kept by somebody else', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
    afterEach(() => void vi.useRealTimers());

    /** Lets what is under way go on, as far as it goes without the clock. */
    const settle = () => new Promise((resolve) => setImmediate(resolve));

    it('is waited for a minute, and then by later callers', async () => {
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      const first = app.write('first').catch((error: unknown) => error);
      await settle();
      await vi.advanceTimersByTimeAsync(30_000);
      const second = app.write('second');
      await settle();
      await vi.advanceTimersByTimeAsync(29_999);
      const outcome = Promise.race([first, Promise.resolve('waits')]);
      expect(await outcome).toBe('waits');
      await vi.advanceTimersByTimeAsync(1);
      expect(await first).toBeInstanceOf(LeaseTimeoutError);
      expect(await first).toMatchObject({
        message: expect.stringContaining('The database has one connection, and it was busy for 60000 ms.') as string,
      });
      await runner.rollbackTransaction();
      await runner.release();
      await second;
      expect(vi.getTimerCount()).toBe(0);
      expect(await app.saved()).toEqual(['second']);
    });

    it('is waited for five seconds by work that was detached from the unit that has it', async () => {
      const [inside, goOn] = [gate(), gate()];
      let detached: Promise<unknown> = Promise.resolve();
      const unit = app.transactor.run(async (current) => {
        await app.write('own');
        detached = detach(() => app.write('detached')).catch((error: unknown) => error);
        inside.open();
        await goOn.opened;
        expect(current.isActive).toBe(true);
      });
      await inside.opened;
      await settle();
      await vi.advanceTimersByTimeAsync(4_999);
      expect(await Promise.race([detached, Promise.resolve('waits')])).toBe('waits');
      await vi.advanceTimersByTimeAsync(1);
      expect(await detached).toMatchObject({
        code: 'FILES_LEASE_TIMEOUT',
        message: expect.stringContaining('busy for 5000 ms') as string,
      });
      goOn.open();
      await unit;
      expect(await app.saved()).toEqual(['own']);
    });
  });
});
