import type { DataSource } from 'typeorm';
import { MysqlSearchDialect } from './mysql.search-dialect.js';
import { PostgresSearchDialect } from './postgres.search-dialect.js';
import type { SearchDialect } from './search-dialect.js';
import { SqliteSearchDialect } from './sqlite.search-dialect.js';

export function searchDialectFor(type: DataSource['options']['type']): SearchDialect {
  switch (type) {
    case 'postgres':
      return new PostgresSearchDialect();
    case 'mysql':
    case 'mariadb':
      return new MysqlSearchDialect();
    default:
      return new SqliteSearchDialect();
  }
}
