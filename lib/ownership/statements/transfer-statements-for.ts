import type { DataSource } from 'typeorm';
import { MysqlStatements } from './mysql.statements.js';
import { PortableStatements } from './portable.statements.js';
import { PostgresStatements } from './postgres.statements.js';
import { SqliteStatements } from './sqlite.statements.js';
import type { TransferStatements } from './transfer-statements.js';
import { familyOf } from '../../unit-of-work/typeorm/data-source.js';

/** The statements for the data source's database; whether connections may keep their plans. */
export function transferStatementsFor(dataSource: DataSource, prepared = true): TransferStatements {
  switch (familyOf(dataSource)) {
    case 'postgres':
      return new PostgresStatements(dataSource, prepared);
    case 'mysql':
      return new MysqlStatements(dataSource);
    case 'sqlite':
      return new SqliteStatements(dataSource);
    default:
      return new PortableStatements();
  }
}
