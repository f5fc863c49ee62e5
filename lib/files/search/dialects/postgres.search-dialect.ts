import type { Pattern } from '../pattern.js';
import { isIn } from './is-in.js';
import type { Bind, JsonValueSql, SearchDialect } from './search-dialect.js';

// Strings that `json` keeps and text cannot hold: NUL and halves of characters. To read one is an error of the whole query.
const UNREADABLE = String.raw`'(^|[^\\])(\\\\)*\\u(0000|[dD][89a-fA-F])'`;

export class PostgresSearchDialect implements SearchDialect {
  textIn(text: string, values: readonly string[], bind: Bind): string {
    return isIn(text, values.map(bind));
  }

  like(text: string, pattern: Pattern, bind: Bind): string {
    return `${text} LIKE ${bind(pattern.toLike())} ESCAPE '!'`;
  }

  ilike(text: string, pattern: Pattern, bind: Bind): string {
    return `${text} ILIKE ${bind(pattern.toLike())} ESCAPE '!'`;
  }

  // A path (#>) would also count through arrays, which the other databases write differently.
  jsonValue(column: string, keys: readonly string[], bind: Bind): JsonValueSql {
    const value = [column, ...keys.map((key) => `CAST(${bind(key)} AS text)`)].join(' -> ');
    const type = `json_typeof(${value})`;
    const source = `CAST(${value} AS text)`;
    return {
      isNull: `COALESCE(${type}, 'null') = 'null'`,
      string: `CASE WHEN ${type} = 'string' AND ${source} !~ ${UNREADABLE} THEN (${value}) #>> '{}' END`,
      number: `CASE WHEN ${type} = 'number' THEN CAST(${source} AS numeric) END`,
      boolean: `CASE WHEN ${type} = 'boolean' THEN ${source} END`,
    };
  }

  bindNumber(value: number, bind: Bind): string {
    return `CAST(${bind(value)} AS numeric)`;
  }

  nulls(direction: 'asc' | 'desc'): 'NULLS FIRST' | 'NULLS LAST' {
    return direction === 'asc' ? 'NULLS FIRST' : 'NULLS LAST';
  }
}
