import type { DataSource } from 'typeorm';
import { MysqlSearchDialect } from './mysql.search-dialect.js';
import { PostgresSearchDialect } from './postgres.search-dialect.js';
import type { SearchDialect } from './search-dialect.js';
import { SqliteSearchDialect } from './sqlite.search-dialect.js';
import { familyOf } from '../../../unit-of-work/typeorm/data-source.js';

/** The search dialect of the data source's database. */
export function searchDialectFor(dataSource: DataSource): SearchDialect {
  switch (familyOf(dataSource)) {
    case 'postgres':
      return new PostgresSearchDialect();
    case 'mysql':
      return new MysqlSearchDialect();
    default:
      return new SqliteSearchDialect();
  }
}
