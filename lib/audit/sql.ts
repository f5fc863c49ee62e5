import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { familyOf, dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import type { OwnerColumn } from '../ownership/owner-entities.js';

/** Adds a value to the parameters and returns its placeholder. */
export type Bind = (value: unknown) => string;

const ARRAY_TYPES: Readonly<Record<string, string>> = {
  uuid: 'uuid',
  text: 'text',
  'character varying': 'text',
  character: 'bpchar',
  smallint: 'smallint',
  integer: 'integer',
  bigint: 'bigint',
};

/** Runs the statement that `text` writes with its parameters. */
export async function query(manager: EntityManager, text: (bind: Bind) => string): Promise<ObjectLiteral[]> {
  const parameters: unknown[] = [];
  const bind: Bind = (value) => dataSourceOf(manager).driver.createParameter('', parameters.push(value) - 1);
  return manager.query<ObjectLiteral[]>(text(bind), parameters);
}

/** That the column is one of these values: one parameter, so that the text does not depend on their number. */
export function isOneOf(dataSource: DataSource, column: OwnerColumn, values: readonly string[], bind: Bind): string {
  const { driver } = dataSource;
  const name = driver.escape(column.databaseName);
  const family = familyOf(dataSource);
  if (values.length === 0) return '1 = 0';
  if (family === 'sqlite') return `${name} IN (SELECT value FROM json_each(${bind(JSON.stringify(values))}))`;
  if (family !== 'postgres') return `${name} IN (${bind(values)})`;
  const type = ARRAY_TYPES[driver.normalizeType(column)];
  return type === undefined
    ? `CAST(${name} AS text) = ANY(${bind(values)}::text[])`
    : `${name} = ANY(${bind(values)}::${type}[])`;
}
