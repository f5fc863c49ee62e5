import { toJsonPath } from '../json-path.js';
import type { Pattern } from '../pattern.js';
import { isIn } from './search-dialect.js';
import type { Bind, JsonValueSql, SearchDialect } from './search-dialect.js';

/** MySQL and MariaDB. */
export class MysqlSearchDialect implements SearchDialect {
  // Texts are padded with spaces when they are compared. The first condition can use an index.
  textIn(text: string, values: readonly string[], bind: Bind): string {
    const bound = values.map((value) => ({ value: bind(value), length: bind([...value].length) }));
    const same = bound.map(({ value, length }) => `(${value}, ${length})`);
    const padded = bound.map(({ value }) => value);
    return `(${isIn(text, padded)} AND ${isIn(`(${text}, CHAR_LENGTH(${text}))`, same)})`;
  }

  like(text: string, pattern: Pattern, bind: Bind): string {
    return `${text} LIKE ${bind(pattern.toLike())} ESCAPE '!'`;
  }

  ilike(text: string, pattern: Pattern, bind: Bind): string {
    return `LOWER(${text}) LIKE LOWER(${bind(pattern.toLike())}) ESCAPE '!'`;
  }

  jsonValue(column: string, keys: readonly string[], bind: Bind): JsonValueSql {
    const value = `JSON_EXTRACT(${column}, ${bind(toJsonPath(keys))})`;
    const type = `JSON_TYPE(${value})`;
    return {
      isNull: `COALESCE(${type}, 'NULL') = 'NULL'`,
      string: `CASE ${type} WHEN 'STRING' THEN JSON_UNQUOTE(${value}) END`,
      number: `CASE WHEN ${type} IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN ${value} + 0e0 END`,
      boolean: `CASE ${type} WHEN 'BOOLEAN' THEN JSON_UNQUOTE(${value}) END`,
    };
  }

  bindNumber(value: number, bind: Bind): string {
    return bind(value);
  }
}
