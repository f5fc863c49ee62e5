import { MigrationExecutor } from 'typeorm';
import type { DataSource, Migration, QueryRunner } from 'typeorm';
import { isOnPglite } from '../unit-of-work/one-connection/pglite-lease.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { withMigrationLock } from './migration-lock.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';

/**
 * Runs the pending migrations of a data source, the application's and the library's, as `dataSource.runMigrations()`
 * does, but in one process at a time: any number of them may start on an empty database at once. Gives what this one
 * has run.
 */
export async function runMigrations(
  dataSource: DataSource,
  options: { transaction?: 'all' | 'none' | 'each' } = {},
): Promise<Migration[]> {
  // On SQLite, its connections wait for other processes without blocking this one.
  const transactor = new Transactor(dataSource);
  const runner = dataSource.createQueryRunner();
  const executor = new MigrationExecutor(dataSource, runner);
  executor.transaction = options.transaction ?? dataSource.options.migrationsTransactionMode ?? 'all';
  const run = () => executor.executePendingMigrations();
  const { hasNamedLocks } = dialectOf(dataSource);
  try {
    // Whether the database is PGlite is known once a query runner has its connection.
    if (hasNamedLocks) await runner.connect();
    // PGlite has no lock that another connection would not have, too.
    const isAlone = isOnPglite(dataSource) ? executor.transaction === 'all' : !hasNamedLocks;
    return isAlone ? await inOneTransaction(runner, run) : await withMigrationLock(runner, run);
  } finally {
    await runner.release();
    transactor.close();
  }
}

// SQLite and PGlite have no other lock than that of a transaction.
async function inOneTransaction<T>(runner: QueryRunner, work: () => Promise<T>): Promise<T> {
  // Turns foreign keys off, which cannot be done within the transaction: tables that are rebuilt would lose what refers
  // to them.
  await runner.beforeMigration();
  try {
    await runner.startTransaction();
    const result = await work();
    await runner.commitTransaction();
    return result;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.afterMigration();
  }
}
