import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { ambientOf } from '../scopes/here.js';
import { Lease, leaseRunner, queriesByLease } from './connection-lease.js';
import { databaseFault } from '../transaction/database-fault.js';
import { overrideMember } from '../typeorm/override-member.js';
import { sharedView } from '../typeorm/shared-view.js';

const BUSY_TIMEOUT = 5_000;

interface SqliteConnection {
  readonly inTransaction: boolean;
  pragma(source: string): unknown;
}

interface SqliteDriver {
  createQueryRunner(mode: 'master' | 'slave'): QueryRunner;
  readonly databaseConnection: SqliteConnection;
}

type RunnerClass = new (driver: SqliteDriver) => QueryRunner;

/**
 * TypeORM shares one SQLite connection among all callers, so that one caller's ROLLBACK would undo another caller's
 * saved work. This leases it like a pool of one: to a query runner for the time of its transaction, or for one
 * statement.
 */
export function leaseSqlite(dataSource: DataSource): () => void {
  if (dataSource.options.type !== 'better-sqlite3') return () => undefined;
  const driver = dataSource.driver as unknown as SqliteDriver;
  const { timeout = BUSY_TIMEOUT, readonly: isReadonly = false } = dataSource.options;
  const shared = driver.createQueryRunner('master');
  const { stmtCache } = shared as unknown as { stmtCache: Map<string, unknown> };
  const lease = new Lease();
  let connection: SqliteConnection | undefined;
  // SQLite's own waiting would block the event loop; whileBusy() waits instead.
  const stopBlocking = (): void => {
    if (connection === driver.databaseConnection) return;
    connection = driver.databaseConnection;
    connection.pragma('busy_timeout = 0');
    // The data source was reopened: its cached statements belong to the closed connection.
    stmtCache.clear();
  };
  const options = { timeout, isReadonly, stopBlocking };
  const kind = Object.getPrototypeOf(shared) as QueryRunner;
  inherited.set(kind, kind.query);
  const leased = (runner: QueryRunner): QueryRunner => leaseSqliteRunner(runner, driver, lease, options);
  leased(shared);
  const restore = overrideMember(driver, 'createQueryRunner', () => {
    const here = ambientOf(dataSource);
    if (here?.kind === 'foreign' && here.runner.isTransactionActive) return sharedView(here.runner);
    const runner = new (shared.constructor as RunnerClass)(driver);
    Object.assign(runner, { stmtCache });
    return leased(runner);
  });
  return () => {
    restore();
    for (const member of ['query', 'release', 'startTransaction']) Reflect.deleteProperty(shared, member);
    if (dataSource.isInitialized) driver.databaseConnection.pragma(`busy_timeout = ${timeout}`);
  };
}

/** The `query` of each class of query runners, as it was when a data source was last leased. */
const inherited = new WeakMap<object, unknown>();

/**
 * Whether `runner.query` is still the one that leases the connection and calls TypeORM's: neither it nor its class was
 * patched since.
 */
export function isPlainlyLeased(runner: QueryRunner): boolean {
  const kind = Object.getPrototypeOf(runner) as QueryRunner;
  return queriesByLease(runner) && kind.query === inherited.get(kind);
}

function leaseSqliteRunner(
  runner: QueryRunner,
  driver: SqliteDriver,
  lease: Lease,
  options: { timeout: number; isReadonly: boolean; stopBlocking: () => void },
): QueryRunner {
  const start = runner.startTransaction.bind(runner);

  leaseRunner(runner, lease, {
    isInTransaction: () => driver.databaseConnection.inTransaction,
    run: (query, sql, ...rest) => {
      options.stopBlocking();
      // A deferred transaction that reads and then writes fails at once if another process wrote in between.
      const text = sql === 'BEGIN TRANSACTION' && !options.isReadonly ? 'BEGIN IMMEDIATE TRANSACTION' : sql;
      return whileBusy(() => query(text, ...rest), canRetry(sql, driver), options.timeout);
    },
    rollBack: async (query) => void (await query('ROLLBACK')),
  });

  return Object.assign(runner, {
    async startTransaction(isolation?: Parameters<QueryRunner['startTransaction']>[0]): Promise<void> {
      try {
        await start(isolation);
      } catch (error) {
        // TypeORM takes a transaction whose BEGIN failed for an active one.
        if (!driver.databaseConnection.inTransaction) Object.assign(runner, { isTransactionActive: false });
        throw error;
      }
    },
  });
}

// Either the transaction has not begun yet, or only the COMMIT itself was refused.
function canRetry(sql: string, driver: SqliteDriver): boolean {
  return !driver.databaseConnection.inTransaction || sql === 'COMMIT';
}

async function whileBusy<T>(run: () => Promise<T>, retry: boolean, timeout: number): Promise<T> {
  const deadline = performance.now() + timeout;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    try {
      return await run();
    } catch (error) {
      if (!retry || databaseFault(error) !== 'lock-timeout' || performance.now() >= deadline) throw error;
      await delay(wait * (0.5 + Math.random()));
    }
  }
}
