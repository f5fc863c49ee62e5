import { MigrationExecutor, Table } from 'typeorm';
import type { DataSource, EntityMetadata, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';

/** The entities of the library, for the command line. */
export const FILES_TABLES = Symbol('FILES_TABLES');

/** TypeORM's builder of schemas, as far as it is used. */
interface SchemaBuilder {
  log(): Promise<{
    readonly upQueries: readonly { readonly query: string; readonly parameters?: readonly unknown[] }[];
  }>;
}

/**
 * The statements that make the tables of these entities in an empty database, in the words of the data source. Nothing
 * is changed.
 */
export async function tablesSql(
  dataSource: DataSource,
  entities: readonly EntityTarget<ObjectLiteral>[],
): Promise<string[]> {
  return inMemory(dataSource, async (runner) => {
    for (const metadata of metadatasOf(dataSource, entities))
      await runner.createTable(Table.create(metadata, dataSource.driver), false, true, true);
  });
}

/**
 * The statements by which `synchronize` would make the tables of these entities what they are to be; none if they are.
 * Other tables are not looked at, nor are indexes that the application has added. Nothing is changed.
 */
export async function differencesSql(
  dataSource: DataSource,
  entities: readonly EntityTarget<ObjectLiteral>[],
): Promise<string[]> {
  const builder = dataSource.driver.createSchemaBuilder() as unknown as SchemaBuilder;
  // The builder looks at all entities of its data source, under names that differ between the versions of TypeORM.
  const value = metadatasOf(dataSource, entities);
  Object.defineProperties(builder, {
    entityToSyncMetadatas: { value },
    viewEntityToSyncMetadatas: { value: [] },
    hasGeneratedColumns: { value: () => false },
  });
  const { upQueries } = await builder.log();
  const indices = value.flatMap((metadata) => [...metadata.indices, ...metadata.uniques]);
  const own = indices.map(({ name }) => dataSource.driver.escape(name));
  const isOthers = (sql: string): boolean => sql.startsWith('DROP INDEX') && !own.some((name) => sql.includes(name));
  return upQueries.map(({ query }) => query).filter((sql) => !isOthers(sql));
}

/**
 * The names of the migrations that were not run yet. Nothing is changed: TypeORM would create its table of migrations.
 */
export async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    const { migrationsTableName = 'migrations', schema } = dataSource.options as {
      migrationsTableName?: string;
      schema?: string;
    };
    const path = dataSource.driver.buildTableName(migrationsTableName, schema, dataSource.driver.database);
    if (!(await runner.hasTable(path))) return dataSource.migrations.map((one) => one.name ?? one.constructor.name);
    const pending = await new MigrationExecutor(dataSource, runner).getPendingMigrations();
    return pending.map(({ name }) => name);
  } finally {
    await runner.release();
  }
}

function metadatasOf(dataSource: DataSource, entities: readonly EntityTarget<ObjectLiteral>[]): EntityMetadata[] {
  return entities.map((entity) => dataSource.getMetadata(entity));
}

async function inMemory(dataSource: DataSource, work: (runner: QueryRunner) => Promise<void>): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    runner.enableSqlMemory();
    await work(runner);
    return runner.getMemorySql().upQueries.map(({ query }) => query);
  } finally {
    runner.disableSqlMemory();
    await runner.release();
  }
}
