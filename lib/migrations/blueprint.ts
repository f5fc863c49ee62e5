import { Table } from 'typeorm';
import type { DataSource, QueryRunner, TableColumnOptions } from 'typeorm';

type ColumnKind = 'uuid' | 'integer' | 'bigint' | 'boolean' | 'text' | 'json' | { readonly varchar: number };

interface ColumnBlueprint {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly nullable?: boolean;
  readonly primary?: boolean;
}

interface IndexBlueprint {
  readonly name: string;
  readonly columns: readonly string[];
}

/** A table as a migration makes it, for every database. It does not follow the entities: what has been run does not change. */
export interface TableBlueprint {
  readonly name: string;
  readonly columns: readonly ColumnBlueprint[];
  readonly indices?: readonly IndexBlueprint[];
  readonly uniques?: readonly IndexBlueprint[];
}

// Without it MySQL and MariaDB compare by the collation of the server.
const ENGINE = 'InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC';

export function column(name: string, kind: ColumnKind): ColumnBlueprint {
  return { name, kind };
}

export function nullable(name: string, kind: ColumnKind): ColumnBlueprint {
  return { name, kind, nullable: true };
}

export function primary(name: string, kind: ColumnKind): ColumnBlueprint {
  return { name, kind, primary: true };
}

/** Makes the table, unless it is there. */
export async function createFrom(blueprint: TableBlueprint, runner: QueryRunner): Promise<void> {
  const { dataSource } = runner;
  const indices = (blueprint.indices ?? []).map(({ name, columns }) => ({ name, columnNames: [...columns] }));
  const uniques = (blueprint.uniques ?? []).map(({ name, columns }) => ({ name, columnNames: [...columns] }));
  // There, a unique constraint is nothing but an index.
  const isMysql = ['mysql', 'mariadb'].includes(dataSource.options.type);
  const table = new Table({
    name: tablePath(blueprint.name, dataSource),
    columns: blueprint.columns.map((one) => columnOptions(one, dataSource)),
    engine: ENGINE,
    indices: isMysql ? [...indices, ...uniques.map((unique) => ({ ...unique, isUnique: true }))] : indices,
    uniques: isMysql ? [] : uniques,
  });
  await runner.createTable(table, true);
}

/** Drops the table, if it is there. */
export async function drop(blueprint: TableBlueprint, runner: QueryRunner): Promise<void> {
  await runner.dropTable(tablePath(blueprint.name, runner.dataSource), true);
}

function tablePath(name: string, { driver, options, namingStrategy }: DataSource): string {
  const { entityPrefix, schema } = options as { entityPrefix?: string; schema?: string };
  const table = entityPrefix ? namingStrategy.prefixTableName(entityPrefix, name) : name;
  return driver.buildTableName(table, schema, driver.database);
}

function columnOptions(blueprint: ColumnBlueprint, { driver }: DataSource): TableColumnOptions {
  const { name, kind } = blueprint;
  const shared = { name, isNullable: blueprint.nullable ?? false, isPrimary: blueprint.primary ?? false };
  if (typeof kind === 'object') return { ...shared, type: 'varchar', length: String(kind.varchar) };
  // The driver knows what it takes for a UUID, and how long that is.
  const length = kind === 'uuid' ? driver.getColumnLength({ type: kind, length: '' } as never) : '';
  return { ...shared, type: driver.normalizeType({ type: kind }), length };
}
