import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { ambientOf, openTransactionAround } from './ambient.js';
import { LeaseTimeoutError } from '../errors/lease-timeout.error.js';
import { SecondConnectionError } from '../errors/second-connection.error.js';
import { databaseFault } from './database-fault.js';
import { overrideMember } from './override-member.js';
import { sharedView } from './shared-view.js';

const BUSY_TIMEOUT = 5_000;
const LEASE_TIMEOUT = 60_000;
// Work detached from the unit that holds the lease may be awaited by it, which nobody can see: wait, but not for long.
const DETACHED_LEASE_TIMEOUT = 5_000;

interface SqliteConnection {
  readonly inTransaction: boolean;
  pragma(source: string): unknown;
}

interface SqliteDriver {
  createQueryRunner(mode: 'master' | 'slave'): QueryRunner;
  readonly databaseConnection: SqliteConnection;
}

type RunnerClass = new (driver: SqliteDriver) => QueryRunner;

/** Whether TypeORM has one connection for everything that goes through the data source. */
export function sharesConnection(dataSource: DataSource): boolean {
  return dataSource.options.type === 'better-sqlite3';
}

/**
 * TypeORM shares one SQLite connection among everything, so that one caller's ROLLBACK undid what another had been told was
 * saved. This leases it like a pool of one: to a query runner for the time of its transaction, else for one statement.
 */
export function leaseConnection(dataSource: DataSource): () => void {
  if (dataSource.options.type !== 'better-sqlite3') return () => undefined;
  const driver = dataSource.driver as unknown as SqliteDriver;
  const { timeout = BUSY_TIMEOUT, readonly: isReadonly = false } = dataSource.options;
  const shared = driver.createQueryRunner('master');
  const { stmtCache } = shared as unknown as { stmtCache: Map<string, unknown> };
  const lease = new Lease(dataSource);
  let connection: SqliteConnection | undefined;
  // SQLite's own waiting blocks the event loop; whileBusy() waits in its place.
  const stopBlocking = (): void => {
    if (connection === driver.databaseConnection) return;
    connection = driver.databaseConnection;
    connection.pragma('busy_timeout = 0');
    // The data source was opened anew, and what it knows are statements of the connection that is closed.
    stmtCache.clear();
  };
  const options = { timeout, isReadonly, stopBlocking };
  const leased = (runner: QueryRunner): QueryRunner => leaseRunner(runner, driver, lease, options);
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

function leaseRunner(
  runner: QueryRunner,
  driver: SqliteDriver,
  lease: Lease,
  options: { timeout: number; isReadonly: boolean; stopBlocking: () => void },
): QueryRunner {
  const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
  const start = runner.startTransaction.bind(runner);
  const release = runner.release.bind(runner);
  let held: Promise<() => void> | undefined;
  let owned = false;
  let running = 0;

  const hold = async (): Promise<void> => {
    held ??= lease.acquire(runner);
    try {
      await held;
      owned = true;
    } catch (error) {
      held = undefined;
      throw error;
    }
  };

  const dropIfIdle = async (): Promise<void> => {
    if (running > 0 || !held || driver.databaseConnection.inTransaction) return;
    const drop = held;
    held = undefined;
    owned = false;
    (await drop)();
  };

  return Object.assign(runner, {
    async query(sql: string, ...rest: unknown[]): Promise<unknown> {
      running++;
      try {
        if (!owned) await hold();
        options.stopBlocking();
        // A deferred transaction that reads and then writes fails at once if another process wrote in between.
        const text = sql === 'BEGIN TRANSACTION' && !options.isReadonly ? 'BEGIN IMMEDIATE TRANSACTION' : sql;
        return await whileBusy(() => query(text, ...rest), canRetry(sql, driver), options.timeout);
      } finally {
        running--;
        await dropIfIdle();
      }
    },

    async startTransaction(isolation?: Parameters<QueryRunner['startTransaction']>[0]): Promise<void> {
      try {
        await start(isolation);
      } catch (error) {
        // TypeORM takes a transaction whose BEGIN failed for an active one.
        if (!driver.databaseConnection.inTransaction) Object.assign(runner, { isTransactionActive: false });
        throw error;
      }
    },

    async release(): Promise<void> {
      if (owned && driver.databaseConnection.inTransaction) {
        await query('ROLLBACK');
        Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
      }
      await dropIfIdle();
      await release();
    },
  });
}

// Nothing has happened yet, or nothing but the COMMIT itself is refused.
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

/** First come, first served. */
class Lease {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  constructor(private readonly dataSource: DataSource) {}

  /** Resolves, when the connection is the caller's, with what gives it back. */
  async acquire(runner: QueryRunner): Promise<() => void> {
    if (this.#taken) await this.#wait(runner);
    this.#taken = true;
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken = false;
    };
  }

  #wait(runner: QueryRunner): Promise<void> {
    const around = openTransactionAround(this.dataSource, runner);
    if (around && !around.detached) return Promise.reject(new SecondConnectionError(around.where));
    const limit = around ? DETACHED_LEASE_TIMEOUT : LEASE_TIMEOUT;
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(new LeaseTimeoutError(limit));
      }, limit);
      this.#waiting.push(turn);
    });
  }
}
