import type { DataSource } from 'typeorm';
import { MysqlSearchDialect } from './mysql.search-dialect.js';
import { PostgresSearchDialect } from './postgres.search-dialect.js';
import type { SearchDialect } from './search-dialect.js';
import { SqliteSearchDialect } from './sqlite.search-dialect.js';
import { dialectOf } from '../../../unit-of-work/dialects/dialect-of.js';
import type { DatabaseFamily } from '../../../unit-of-work/dialects/sql-dialect.js';

const DIALECTS: Readonly<Record<DatabaseFamily, new () => SearchDialect>> = {
  postgres: PostgresSearchDialect,
  mysql: MysqlSearchDialect,
  sqlite: SqliteSearchDialect,
  other: SqliteSearchDialect,
};

/** The search dialect of the data source's database. */
export function searchDialectFor(dataSource: DataSource): SearchDialect {
  return new DIALECTS[dialectOf(dataSource).family]();
}
