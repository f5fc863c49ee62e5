import type { EntityMetadata, QueryRunner } from 'typeorm';
import { DatabaseGuardImpossibleError } from '../../../errors/ownership.errors.js';
import type { OwnerColumn } from '../../owner-entities.js';
import { guardName, identifier } from './sql-text.js';

/** A column as the database has it. */
export interface StoredColumn {
  readonly name: string;
  /** As PostgreSQL writes it: `character varying`, `uuid[]`. */
  readonly type: string;
}

/** A table as the database has it, named independently of the search path. */
export interface StoredTable {
  readonly schema: string;
  readonly name: string;
  /** Quoted, with the schema. */
  readonly path: string;
  find(column: OwnerColumn): StoredColumn | undefined;
  get(column: OwnerColumn): StoredColumn;
}

const COLUMNS = `
  SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.oid = to_regclass($1)`;

/** Reads the entity's table from the database's catalogue. */
export async function storedTable(
  runner: QueryRunner,
  { tablePath, name: entity }: EntityMetadata,
): Promise<StoredTable> {
  const rows = (await runner.query(COLUMNS, [quotedPath(tablePath)])) as Record<
    'schema' | 'name' | 'column' | 'type',
    string
  >[];
  const [first] = rows;
  if (!first) throw new DatabaseGuardImpossibleError(entity, `its table ${tablePath} is not there. Create it first.`);
  const { schema, name } = first;
  const columns = new Map(rows.map(({ column, type }) => [column, { name: column, type }]));
  const find = ({ databaseName }: OwnerColumn): StoredColumn | undefined => columns.get(databaseName);
  return {
    schema,
    name,
    path: `${identifier(schema)}.${identifier(name)}`,
    find,
    get: (column) => {
      const found = find(column);
      if (!found)
        throw new DatabaseGuardImpossibleError(entity, `${tablePath} has no column ${column.databaseName} yet.`);
      return found;
    },
  };
}

/** The prefix of the names of a table's guards, also after the table was dropped. */
export async function guardNameOf(runner: QueryRunner, tablePath: string): Promise<string> {
  const [, schema, table] = /^(?:(.*)\.)?(.*)$/s.exec(tablePath) as unknown as [string, string | undefined, string];
  const sql = `SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass($1)), current_schema()) AS schema`;
  const [found] =
    schema === undefined ? ((await runner.query(sql, [quotedPath(tablePath)])) as { schema: string }[]) : [];
  return guardName(schema ?? found?.schema ?? '', table);
}

function quotedPath(tablePath: string): string {
  return tablePath.split('.').map(identifier).join('.');
}
