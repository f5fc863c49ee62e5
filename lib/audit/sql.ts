import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import type { Bind } from '../unit-of-work/dialects/sql-dialect.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import type { OwnerColumn } from '../ownership/owner-entities.js';

/** Runs the statement that `text` writes with its parameters. */
export async function query(manager: EntityManager, text: (bind: Bind) => string): Promise<ObjectLiteral[]> {
  const parameters: unknown[] = [];
  const bind: Bind = (value) => dataSourceOf(manager).driver.createParameter('', parameters.push(value) - 1);
  return manager.query<ObjectLiteral[]>(text(bind), parameters);
}

/** That the column is one of these values: one parameter, so that the text does not depend on their number. */
export function isOneOf(dataSource: DataSource, column: OwnerColumn, values: readonly string[], bind: Bind): string {
  const { driver } = dataSource;
  if (values.length === 0) return '1 = 0';
  return dialectOf(dataSource).isOneOf(driver.escape(column.databaseName), driver.normalizeType(column), values, bind);
}
