import type { QueryRunner } from 'typeorm';
import { MigrationLockError } from '../errors/migration-lock.error.js';

// Any two numbers that nobody else is likely to lock.
const POSTGRES_KEY = '1852403572, 1718185573';
const MYSQL_NAME = "CONCAT('nestjs-files:', MD5(DATABASE()))";
const ONE_DAY = 86_400;

/**
 * Runs `work` while no other process of this database does: the others wait, and then find done what there was to do. Within a
 * transaction of PostgreSQL or SQLite they wait for its end.
 */
export async function withMigrationLock<T>(runner: QueryRunner, work: () => Promise<T>): Promise<T> {
  const unlock = await lock(runner);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

async function lock(runner: QueryRunner): Promise<() => Promise<unknown>> {
  switch (runner.dataSource.options.type) {
    case 'postgres':
      return lockPostgres(runner);
    case 'mysql':
    case 'mariadb':
      return lockMysql(runner);
    default:
      await lockSqlite(runner);
      return () => Promise.resolve();
  }
}

async function lockPostgres(runner: QueryRunner): Promise<() => Promise<unknown>> {
  if (runner.isTransactionActive) {
    await runner.query(`SELECT pg_advisory_xact_lock(${POSTGRES_KEY})`);
    return () => Promise.resolve();
  }
  await runner.query(`SELECT pg_advisory_lock(${POSTGRES_KEY})`);
  return () => runner.query(`SELECT pg_advisory_unlock(${POSTGRES_KEY})`);
}

// Such locks belong to the whole server, and so have the name of the database in theirs.
async function lockMysql(runner: QueryRunner): Promise<() => Promise<unknown>> {
  const rows: unknown = await runner.query(`SELECT GET_LOCK(${MYSQL_NAME}, ${ONE_DAY}) AS locked`);
  const [answer] = rows as { locked: number | string | null }[];
  if (Number(answer?.locked) !== 1) throw new MigrationLockError('nestjs-files');
  return () => runner.query(`SELECT RELEASE_LOCK(${MYSQL_NAME})`);
}

// A transaction that reads before it writes cannot wait for another writer. Any write takes the lock.
async function lockSqlite(runner: QueryRunner): Promise<void> {
  if (!runner.isTransactionActive) return;
  await runner.query('CREATE TABLE IF NOT EXISTS "files_migration_lock" ("id" integer)');
  await runner.query('DROP TABLE "files_migration_lock"');
}
