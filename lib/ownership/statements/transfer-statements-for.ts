import type { DataSource } from 'typeorm';
import { MysqlStatements } from './mysql.statements.js';
import { PortableStatements } from './portable.statements.js';
import { PostgresStatements } from './postgres.statements.js';
import { SqliteStatements } from './sqlite.statements.js';
import type { TransferStatements } from './transfer-statements.js';

/** The statements for the data source's database. */
export function transferStatementsFor(dataSource: DataSource): TransferStatements {
  switch (dataSource.options.type) {
    case 'postgres':
      return new PostgresStatements(dataSource);
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
