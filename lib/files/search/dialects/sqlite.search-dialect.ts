import { toJsonPath } from '../json-path.js';
import type { Pattern } from '../pattern.js';
import { isIn } from './search-dialect.js';
import type { Bind, JsonValueSql, SearchDialect } from './search-dialect.js';

export class SqliteSearchDialect implements SearchDialect {
  textIn(text: string, values: readonly string[], bind: Bind): string {
    return isIn(text, values.map(bind));
  }

  // LIKE ignores the case of ASCII, unless `PRAGMA case_sensitive_like` is on.
  like(text: string, pattern: Pattern, bind: Bind): string {
    return `${text} GLOB ${bind(pattern.toGlob())}`;
  }

  ilike(text: string, pattern: Pattern, bind: Bind): string {
    return `LOWER(${text}) LIKE LOWER(${bind(pattern.toLike())}) ESCAPE '!'`;
  }

  jsonValue(column: string, keys: readonly string[], bind: Bind): JsonValueSql {
    const at = `${column}, ${bind(toJsonPath(keys))}`;
    const [type, value] = [`json_type(${at})`, `json_extract(${at})`];
    return {
      isNull: `COALESCE(${type}, 'null') = 'null'`,
      string: `CASE ${type} WHEN 'text' THEN ${value} END`,
      number: `CASE WHEN ${type} IN ('integer', 'real') THEN ${value} END`,
      boolean: `CASE WHEN ${type} IN ('true', 'false') THEN ${type} END`,
    };
  }

  bindNumber(value: number, bind: Bind): string {
    return bind(value);
  }
}
