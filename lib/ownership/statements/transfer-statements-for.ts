import type { DataSource } from 'typeorm';
import { MysqlStatements } from './mysql.statements.js';
import { PortableStatements } from './portable.statements.js';
import { PostgresStatements } from './postgres.statements.js';
import { SqliteStatements } from './sqlite.statements.js';
import type { TransferStatements } from './transfer-statements.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import type { DatabaseFamily } from '../../unit-of-work/dialects/sql-dialect.js';

const STATEMENTS: Readonly<
  Record<DatabaseFamily, new (dataSource: DataSource, prepared: boolean) => TransferStatements>
> = {
  postgres: PostgresStatements,
  mysql: MysqlStatements,
  sqlite: SqliteStatements,
  other: PortableStatements,
};

/** The statements for the data source's database; whether connections may keep their plans. */
export function transferStatementsFor(dataSource: DataSource, prepared = true): TransferStatements {
  return new STATEMENTS[dialectOf(dataSource).family](dataSource, prepared);
}
