import type { DataSource } from 'typeorm';
import type { Dialect } from './dialect.js';
import { MysqlDialect } from './mysql.dialect.js';
import { PortableDialect } from './portable.dialect.js';
import { PostgresDialect } from './postgres.dialect.js';
import { SqliteDialect } from './sqlite.dialect.js';

/** The dialect for the data source's driver. */
export function dialectOf(dataSource: DataSource): Dialect {
  switch (dataSource.options.type) {
    case 'postgres':
      return new PostgresDialect();
    case 'mysql':
    case 'mariadb':
      return new MysqlDialect();
    case 'better-sqlite3':
      return new SqliteDialect();
    default:
      return new PortableDialect();
  }
}
