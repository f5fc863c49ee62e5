import type { Pattern } from '../pattern.js';
import type { Bound } from '../values.js';

/** Binds a value and returns its placeholder in SQL. */
export type Bind = (value: Bound) => string;

/** SQL for one value in JSON. It gives NULL for a value of another type. */
export interface JsonValueSql {
  /** True or false: the value is missing or null. */
  readonly isNull: string;
  readonly string: string;
  readonly number: string;
  /** 'true' or 'false'. */
  readonly boolean: string;
}

/** The SQL that differs between databases. */
export interface SearchDialect {
  /** Whether the text is one of the values, to the last space. */
  textIn(text: string, values: readonly string[], bind: Bind): string;
  /** Case-sensitive. */
  like(text: string, pattern: Pattern, bind: Bind): string;
  /** Ignores case. */
  ilike(text: string, pattern: Pattern, bind: Bind): string;
  jsonValue(column: string, keys: readonly string[], bind: Bind): JsonValueSql;
  bindNumber(value: number, bind: Bind): string;
  /** The clause that sorts `null` before all values. A database that does so by default has no such method. */
  nulls?(direction: 'asc' | 'desc'): 'NULLS FIRST' | 'NULLS LAST';
}

/** SQL for being one of a list that is not empty. */
export function isIn(subject: string, list: readonly string[]): string {
  return list.length === 1 ? `${subject} = ${list[0]}` : `${subject} IN (${list.join(', ')})`;
}
