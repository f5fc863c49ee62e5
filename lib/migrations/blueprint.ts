import { Table, TableColumn, TableIndex } from 'typeorm';
import type { DataSource, QueryRunner, TableColumnOptions } from 'typeorm';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import { quoted } from '../unit-of-work/typeorm/table-names.js';

type ColumnKind = 'uuid' | 'integer' | 'bigint' | 'boolean' | 'text' | 'json' | { readonly varchar: number };

interface ColumnBlueprint {
  readonly property: string;
  /** The name of the column in the entity, unless it is that of the property. */
  readonly name: string | undefined;
  readonly kind: ColumnKind;
  readonly nullable?: boolean;
  readonly primary?: boolean;
}

export interface IndexBlueprint {
  readonly name: string;
  /** Their properties. */
  readonly columns: readonly string[];
}

interface TableReference {
  /** The class, from which a naming strategy may make a name. */
  readonly entity: string;
  readonly name: string;
}

/**
 * A table as a migration makes it, for every database, under the names that the application's naming strategy gives. It
 * does not follow the entities: migrations that have been run do not change.
 */
export interface TableBlueprint extends TableReference {
  readonly columns: readonly ColumnBlueprint[];
  readonly indices?: readonly IndexBlueprint[];
  readonly uniques?: readonly IndexBlueprint[];
}

/** Columns that a migration adds to a table. */
export type ColumnsBlueprint = TableReference & Pick<TableBlueprint, 'columns'>;

// Without it MySQL and MariaDB compare by the collation of the server.
const ENGINE = 'InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC';

export function column(property: string, kind: ColumnKind, name = snakeCase(property)): ColumnBlueprint {
  return { property, name: name === property ? undefined : name, kind };
}

export function nullable(property: string, kind: ColumnKind, name?: string): ColumnBlueprint {
  return { ...column(property, kind, name), nullable: true };
}

export function primary(property: string, kind: ColumnKind): ColumnBlueprint {
  return { ...column(property, kind), primary: true };
}

function snakeCase(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Makes the table. If it is there, the indexes that a process that died had not made yet. */
export async function createFrom(blueprint: TableBlueprint, runner: QueryRunner): Promise<void> {
  const dataSource = dataSourceOf(runner);
  const named = new Map(blueprint.columns.map((one) => [one.property, columnName(one, dataSource)]));
  const onColumns = ({ name, columns }: IndexBlueprint) => {
    return { name, columnNames: columns.map((property) => named.get(property) ?? property) };
  };
  const indices = (blueprint.indices ?? []).map(onColumns);
  const uniques = (blueprint.uniques ?? []).map(onColumns);
  const { uniquesAreIndexes } = dialectOf(dataSource);
  const table = new Table({
    name: tablePath(blueprint, dataSource),
    columns: blueprint.columns.map((one) => columnOptions(one, dataSource)),
    engine: ENGINE,
    indices: uniquesAreIndexes ? [...indices, ...uniques.map((unique) => ({ ...unique, isUnique: true }))] : indices,
    uniques: uniquesAreIndexes ? [] : uniques,
  });
  if (!(await runner.hasTable(table.name))) return runner.createTable(table);
  for (const index of indices) {
    if (!(await hasIndex(table.name, index, runner))) await runner.createIndex(table.name, new TableIndex(index));
  }
}

/** Drops the table, if it is there. */
export async function drop(blueprint: TableBlueprint, runner: QueryRunner): Promise<void> {
  await runner.dropTable(tablePath(blueprint, dataSourceOf(runner)), true);
}

/** Adds the columns that the table does not have yet. They are nullable: rows that are there have no value for them. */
export async function addColumns({ columns, ...table }: ColumnsBlueprint, runner: QueryRunner): Promise<void> {
  const dataSource = dataSourceOf(runner);
  const { driver } = dataSource;
  const path = tablePath(table, dataSource);
  for (const options of columns.map((one) => columnOptions(one, dataSource))) {
    if (await runner.hasColumn(path, options.name)) continue;
    // TypeORM's `addColumn()` is not used: on SQLite it makes the whole table anew, and so deletes the application's
    // rows that refer to it.
    const definition = `${driver.escape(options.name)} ${driver.createFullType(new TableColumn(options))}`;
    await runner.query(`ALTER TABLE ${quoted(dataSource, path)} ADD COLUMN ${definition}`);
  }
}

/** Drops the columns that the table has. */
export async function dropColumns({ columns, ...table }: ColumnsBlueprint, runner: QueryRunner): Promise<void> {
  const dataSource = dataSourceOf(runner);
  const path = tablePath(table, dataSource);
  for (const name of columns.map((one) => columnName(one, dataSource)).toReversed()) {
    if (!(await runner.hasColumn(path, name))) continue;
    await runner.query(`ALTER TABLE ${quoted(dataSource, path)} DROP COLUMN ${dataSource.driver.escape(name)}`);
  }
}

/** Adds the index to the table, unless it is there. */
export async function addIndex(table: TableReference, index: IndexBlueprint, runner: QueryRunner): Promise<void> {
  const dataSource = dataSourceOf(runner);
  const path = tablePath(table, dataSource);
  if (await hasIndex(path, index, runner)) return;
  const columnNames = index.columns.map((property) => columnName(column(property, 'text'), dataSource));
  await runner.createIndex(path, new TableIndex({ name: index.name, columnNames }));
}

/** Drops the index of the table, if it is there. */
export async function dropIndex(table: TableReference, index: IndexBlueprint, runner: QueryRunner): Promise<void> {
  const path = tablePath(table, dataSourceOf(runner));
  if (await hasIndex(path, index, runner)) await runner.dropIndex(path, index.name);
}

async function hasIndex(path: string, { name }: Pick<IndexBlueprint, 'name'>, runner: QueryRunner): Promise<boolean> {
  const table = await runner.getTable(path);
  return table?.indices.some((one) => one.name === name) ?? false;
}

function tablePath(
  { entity, name }: TableReference,
  { driver, options, namingStrategy, entityMetadatas }: DataSource,
): string {
  const { entityPrefix, schema } = options as { entityPrefix?: string; schema?: string };
  // Bundlers give classes other names.
  const { targetName } = entityMetadatas.find(({ givenTableName }) => givenTableName === name) ?? {
    targetName: entity,
  };
  const own = namingStrategy.tableName(targetName, name);
  const table = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, own) : own;
  return driver.buildTableName(table, schema, driver.database);
}

function columnName({ property, name }: ColumnBlueprint, { namingStrategy }: DataSource): string {
  return namingStrategy.columnName(property, name, []);
}

function columnOptions(blueprint: ColumnBlueprint, dataSource: DataSource): TableColumnOptions {
  const { kind } = blueprint;
  const { driver } = dataSource;
  const name = columnName(blueprint, dataSource);
  const shared = { name, isNullable: blueprint.nullable ?? false, isPrimary: blueprint.primary ?? false };
  if (typeof kind === 'object') return { ...shared, type: 'varchar', length: String(kind.varchar) };
  // The driver knows its type for a UUID, and the length.
  const length = kind === 'uuid' ? driver.getColumnLength({ type: kind, length: '' } as never) : '';
  return { ...shared, type: driver.normalizeType({ type: kind }), length };
}
