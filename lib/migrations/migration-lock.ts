import { setTimeout as delay } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { MigrationLockRefusedError } from '../errors/setup.errors.js';
import { openBeside } from '../unit-of-work/typeorm/open-beside.js';
import { isPglite, type PostgresConnection } from '../unit-of-work/one-connection/pglite.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import type { DatabaseFamily } from '../unit-of-work/dialects/sql-dialect.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';

// Two arbitrary numbers that other programs are unlikely to lock.
const POSTGRES_KEY = '1852403572, 1718185573';
const MYSQL_NAME = "CONCAT('nestjs-files:', MD5(DATABASE()))";
const ONE_DAY = 86_400;
const POLL = 100;

const locked = new WeakSet<QueryRunner>();

/**
 * Runs `work` while no other process of this database does: the others wait, and then find done what there was to do.
 * Within a transaction of PostgreSQL or SQLite they wait for its end. Who has the lock of the query runner already need
 * not wait.
 */
export async function withMigrationLock<T>(runner: QueryRunner, work: () => Promise<T>): Promise<T> {
  if (locked.has(runner)) return work();
  const unlock = await LOCKS[dialectOf(dataSourceOf(runner)).family](runner);
  locked.add(runner);
  try {
    return await work();
  } finally {
    locked.delete(runner);
    await unlock();
  }
}

/** Takes the lock, and resolves with what gives it back. */
type Lock = (runner: QueryRunner) => Promise<() => Promise<unknown>>;

const LOCKS: Readonly<Record<DatabaseFamily, Lock>> = {
  postgres: lockPostgres,
  mysql: lockMysql,
  sqlite: lockSqlite,
  other: lockSqlite,
};

// Locks of a transaction alone: a pooler may give each transaction another session, and the lock of one would stay
// there.
async function lockPostgres(runner: QueryRunner): Promise<() => Promise<unknown>> {
  if (runner.isTransactionActive) {
    await whenFree(() => tryPostgres(runner));
    return () => Promise.resolve();
  }
  // Its one session has every lock already.
  if (await isPglite((await runner.connect()) as PostgresConnection)) return () => Promise.resolve();
  const beside = await openBeside(dataSourceOf(runner), []);
  const holder = beside.createQueryRunner();
  try {
    await whenFree(async () => {
      await holder.startTransaction('READ COMMITTED');
      await holder.query('SET LOCAL idle_in_transaction_session_timeout = 0');
      if (await tryPostgres(holder)) return true;
      await holder.rollbackTransaction();
      return false;
    });
  } catch (error) {
    await holder.release();
    await beside.destroy();
    throw error;
  }
  return async () => {
    await holder.rollbackTransaction();
    await holder.release();
    await beside.destroy();
  };
}

async function tryPostgres(runner: QueryRunner): Promise<boolean> {
  const rows: unknown = await runner.query(`SELECT pg_try_advisory_xact_lock(${POSTGRES_KEY}) AS locked`);
  return (rows as { locked: boolean }[])[0]?.locked === true;
}

/**
 * A statement that waits for a lock has a snapshot, for whose end a CREATE INDEX CONCURRENTLY of the lock's holder
 * would wait.
 */
async function whenFree(attempt: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ONE_DAY * 1000;
  while (!(await attempt())) {
    if (performance.now() > deadline) throw new MigrationLockRefusedError('nestjs-files');
    await delay(POLL);
  }
}

// Such locks belong to the whole server, and so have the name of the database in theirs.
async function lockMysql(runner: QueryRunner): Promise<() => Promise<unknown>> {
  const rows: unknown = await runner.query(`SELECT GET_LOCK(${MYSQL_NAME}, ${ONE_DAY}) AS locked`);
  const [answer] = rows as { locked: number | string | null }[];
  if (Number(answer?.locked) !== 1) throw new MigrationLockRefusedError('nestjs-files');
  return () => runner.query(`SELECT RELEASE_LOCK(${MYSQL_NAME})`);
}

// A transaction that reads before it writes cannot wait for another writer. Any write takes the lock.
async function lockSqlite(runner: QueryRunner): Promise<() => Promise<unknown>> {
  if (runner.isTransactionActive) {
    await runner.query('CREATE TABLE IF NOT EXISTS "files_migration_lock" ("id" integer)');
    await runner.query('DROP TABLE "files_migration_lock"');
  }
  return () => Promise.resolve();
}
