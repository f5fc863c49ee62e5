import type { DataSource } from 'typeorm';
import { MysqlStatements } from './mysql.statements.js';
import { PortableStatements } from './portable.statements.js';
import { PostgresStatements } from './postgres.statements.js';
import { SqliteStatements } from './sqlite.statements.js';
import type { TransferStatements } from './transfer-statements.js';

/** The statements for the data source's database; whether connections may keep their plans. */
export function transferStatementsFor(dataSource: DataSource, prepared = true): TransferStatements {
  switch (dataSource.options.type) {
    case 'postgres':
      return new PostgresStatements(dataSource, prepared);
    case 'mysql':
    case 'mariadb':
      return new MysqlStatements(dataSource);
    case 'better-sqlite3':
    case 'sqljs':
      return new SqliteStatements(dataSource);
    default:
      return new PortableStatements();
  }
}
