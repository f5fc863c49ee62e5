import type { EntityTarget, MigrationInterface, ObjectLiteral, QueryRunner } from 'typeorm';
import { DatabaseGuardImpossibleError } from '../../../errors/ownership.errors.js';
import { ManagedFile } from '../../../files/managed-file.entity.js';
import { withMigrationLock } from '../../../migrations/migration-lock.js';
import { tableNames } from '../../../unit-of-work/typeorm/table-names.js';
import type { TableNames } from '../../../unit-of-work/typeorm/table-names.js';
import { guardedTables } from './guarded-table.js';
import type { GuardedTable } from './guarded-table.js';
import { createInUse } from './in-use-sql.js';
import { createNamed } from './named-sql.js';
import { createNotOwn, isForeign, joinFiles } from './not-own-sql.js';
import { identifier } from './sql-text.js';
import { guardNameOf, storedTable } from './stored-table.js';
import { functionPath } from './trigger-sql.js';
import { dialectOf } from '../../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../../unit-of-work/typeorm/data-source.js';

/** How guards are made. */
export interface GuardOptions {
  /**
   * The behaviour on databases other than PostgreSQL, which cannot check at the commit: throw, or do nothing.
   * @default 'refuse'
   */
  readonly otherDatabases?: 'refuse' | 'skip';
  /** Whether the rows that are there already are checked, which reads the tables once. @default true */
  readonly validate?: boolean;
}

/** Entities with `@FileField()` columns, by class or name. */
export type GuardedTargets = readonly EntityTarget<ObjectLiteral>[];

/**
 * Makes PostgreSQL check at every COMMIT of any program that the rows of these entities name only their own files, and
 * that nobody takes away a file that they name. Existing guards are replaced. All entities that share a table are
 * guarded together.
 * @example await createGuards(queryRunner, [Package])
 */
export async function createGuards(
  runner: QueryRunner,
  entities: GuardedTargets,
  { otherDatabases = 'refuse', validate = true }: GuardOptions = {},
): Promise<void> {
  const dataSource = dataSourceOf(runner);
  if (!isPostgres(runner)) {
    if (otherDatabases === 'skip') return;
    throw new DatabaseGuardImpossibleError(
      `rows with @FileField() on ${dataSource.options.type}`,
      'only PostgreSQL checks at the end of a transaction. Set `otherDatabases: "skip"` where the migration is for several databases.',
    );
  }
  await inTransaction(runner, async () => {
    // Its quoted name has no schema if the data source names none, and later sessions may search others.
    const { path } = await storedTable(runner, dataSource.getMetadata(ManagedFile));
    const files = { ...tableNames(dataSource, ManagedFile), table: path };
    for (const guarded of await guardedTables(runner, entities)) {
      await dropNamed(runner, guarded.name);
      const statements = [...createNamed(guarded), ...createNotOwn(guarded, files), ...createInUse(guarded, files)];
      for (const statement of statements) await runner.query(statement);
      if (validate) await assertValid(runner, guarded, files);
    }
  });
}

/**
 * Takes the guards off the entities' tables; a text may also be the name of a table whose class was removed. Without
 * guards it does nothing.
 */
export async function dropGuards(runner: QueryRunner, entities: GuardedTargets): Promise<void> {
  if (!isPostgres(runner)) return;
  const dataSource = dataSourceOf(runner);
  await inTransaction(runner, async () => {
    for (const entity of entities) {
      const isTable = typeof entity === 'string' && !dataSource.hasMetadata(entity);
      await dropNamed(runner, await guardNameOf(runner, isTable ? entity : dataSource.getMetadata(entity).tablePath));
    }
  });
}

/**
 * The class of a migration that makes guards in the database, as `createGuards()` does, and drops them when it is
 * reverted. To be extended by a class with a name and a timestamp.
 * @example export class GuardPackages1767398400000 extends guardMigration([Package]) {}
 */
export function guardMigration(entities: GuardedTargets, options: GuardOptions = {}): new () => MigrationInterface {
  return class implements MigrationInterface {
    up(runner: QueryRunner): Promise<void> {
      return createGuards(runner, entities, options);
    }

    down(runner: QueryRunner): Promise<void> {
      return dropGuards(runner, entities);
    }
  };
}

function isPostgres(runner: QueryRunner): boolean {
  return dialectOf(dataSourceOf(runner)).family === 'postgres';
}

async function inTransaction(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
  if (runner.isTransactionActive) return withMigrationLock(runner, work);
  await runner.startTransaction();
  try {
    await withMigrationLock(runner, work);
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  }
}

async function dropNamed(runner: QueryRunner, name: string): Promise<void> {
  const triggers = `SELECT tgname AS name, tgrelid::regclass AS place FROM pg_trigger WHERE starts_with(tgname, $1)`;
  const functions = `SELECT oid::regprocedure AS place FROM pg_proc WHERE starts_with(proname, $1)`;
  for (const trigger of (await runner.query(triggers, [name])) as { name: string; place: string }[]) {
    await runner.query(`DROP TRIGGER ${identifier(trigger.name)} ON ${trigger.place}`);
  }
  for (const { place } of (await runner.query(functions, [name])) as { place: string }[]) {
    await runner.query(`DROP FUNCTION ${place}`);
  }
}

async function assertValid(runner: QueryRunner, guarded: GuardedTable, files: TableNames<ManagedFile>): Promise<void> {
  const { path } = guarded.table;
  const [row] = (await runner.query(`
    SELECT n.entity, n.owner_id, n.field, n.value
    FROM ${path} AS r CROSS JOIN LATERAL ${functionPath(guarded, 'named')}(r) AS n
    ${joinFiles(files)}
    WHERE ${isForeign(files)} LIMIT 1`)) as Record<'entity' | 'owner_id' | 'field' | 'value', string>[];
  if (!row) return;
  throw new DatabaseGuardImpossibleError(
    row.entity,
    `${row.entity} ${row.owner_id} names file ${row.value} in ${row.field}, which is not its own. Repair such rows first, or set ` +
      '`validate: false` to leave them as they are.',
  );
}
