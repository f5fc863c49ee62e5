import type { DataSource, QueryRunner } from 'typeorm';
import { openTransactionAround } from '../scopes/here.js';
import { LeaseTimeoutError, SecondConnectionMissingError } from '../../errors/units.errors.js';
import { Mutex } from '../mutex.js';
import { dataSourceOf } from '../typeorm/data-source.js';

const LEASE_TIMEOUT = 60_000;
// The unit that holds the lease may be awaiting detached work, which cannot be seen: such work waits, but not for long.
const DETACHED_LEASE_TIMEOUT = 5_000;

type Query = (sql: string, ...rest: unknown[]) => Promise<unknown>;

/** The differences between the databases that have one connection for all callers. */
export interface LeasedConnection {
  /** Whether the query runner that holds the lease is in a transaction. */
  isInTransaction(): boolean;
  /** Runs one statement of the query runner. */
  run(query: Query, sql: string, ...rest: unknown[]): Promise<unknown>;
  /** Ends the transaction of a query runner that is released in it. */
  rollBack(query: Query): Promise<void>;
}

/** Leases the one connection to the query runner: for the time of its transaction, or for one statement. */
export function leaseRunner(runner: QueryRunner, lease: Lease, connection: LeasedConnection): QueryRunner {
  const query = runner.query.bind(runner) as Query;
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
    if (running > 0 || !held || connection.isInTransaction()) return;
    const drop = held;
    held = undefined;
    owned = false;
    (await drop)();
  };

  const leased = {
    async query(sql: string, ...rest: unknown[]): Promise<unknown> {
      running++;
      try {
        if (!owned) await hold();
        return await connection.run(query, sql, ...rest);
      } finally {
        running--;
        await dropIfIdle();
      }
    },

    async release(): Promise<void> {
      if (owned && connection.isInTransaction()) {
        await connection.rollBack(query);
        Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
      }
      await dropIfIdle();
      await release();
    },
  };
  leasedQueries.set(runner, leased.query);
  return Object.assign(runner, leased);
}

const leasedQueries = new WeakMap<QueryRunner, unknown>();

/** Whether `runner.query` leases the connection and does nothing else. */
export function queriesByLease(runner: QueryRunner): boolean {
  return runner.query === leasedQueries.get(runner);
}

/** The one connection, which one query runner has at a time. */
export class Lease {
  readonly #mutex = new Mutex();
  readonly #dataSources = new WeakSet<DataSource>();

  /** Resolves when the connection is the caller's, with the function that gives it back. */
  async acquire(runner: QueryRunner): Promise<() => void> {
    this.#dataSources.add(dataSourceOf(runner));
    if (!this.#mutex.enter()) await this.#wait(runner);
    return () => this.#mutex.leave();
  }

  #wait(runner: QueryRunner): Promise<void> {
    const around = openTransactionAround(this.#dataSources, runner);
    if (around && !around.detached) return Promise.reject(new SecondConnectionMissingError(around.where));
    const limit = around ? DETACHED_LEASE_TIMEOUT : LEASE_TIMEOUT;
    return new Promise((resolve, reject) => {
      const giveUp = this.#mutex.wait(() => {
        clearTimeout(timer);
        resolve();
      });
      const timer = setTimeout(() => {
        giveUp();
        reject(new LeaseTimeoutError(limit));
      }, limit);
    });
  }
}
