import type { DataSource } from 'typeorm';
import type { Dialect } from './dialect.js';
import { MysqlDialect } from './mysql.dialect.js';
import { PortableDialect } from './portable.dialect.js';
import { PostgresDialect } from './postgres.dialect.js';
import { BetterSqliteDialect, SqliteDialect } from './sqlite.dialect.js';

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: new PostgresDialect(),
  mysql: new MysqlDialect(),
  mariadb: new MysqlDialect(),
  'better-sqlite3': new BetterSqliteDialect(),
  sqljs: new SqliteDialect(),
};
const PORTABLE = new PortableDialect();

/** The dialect for the data source's driver. */
export function dialectOf({ options: { type } }: DataSource): Dialect {
  return DIALECTS[type] ?? PORTABLE;
}
