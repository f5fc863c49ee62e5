import type { Pattern } from '../pattern.js';
import { isIn } from './search-dialect.js';
import type { Bind, JsonValueSql, SearchDialect } from './search-dialect.js';

// `json` can hold texts that PostgreSQL cannot read (NUL, halves of characters), and reading such a value would fail
// the whole query. https://www.postgresql.org/docs/current/datatype-json.html
const UNREADABLE = literal(String.raw`(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})`);
const REPLACEMENT = literal(String.raw`\1\\ufffd`);
const ESCAPE = literal(String.raw`\u`);

/** In plain quotes, `standard_conforming_strings` decides whether a backslash is literal. */
function literal(text: string): string {
  return `E'${text.replaceAll('\\', String.raw`\\`)}'`;
}

function readable(column: string): string {
  const text = `CAST(${column} AS text)`;
  const replaced = `regexp_replace(${text}, ${UNREADABLE}, ${REPLACEMENT}, 'g')`;
  return `CASE WHEN strpos(${text}, ${ESCAPE}) > 0 THEN CAST(${replaced} AS json) ELSE ${column} END`;
}

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
    const value = [`(${readable(column)})`, ...keys.map((key) => `CAST(${bind(key)} AS text)`)].join(' -> ');
    const type = `json_typeof(${value})`;
    const source = `CAST(${value} AS text)`;
    return {
      isNull: `COALESCE(${type}, 'null') = 'null'`,
      string: `CASE WHEN ${type} = 'string' THEN (${value}) #>> '{}' END`,
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
