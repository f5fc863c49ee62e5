import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { ManagedFile } from '../managed-file.entity.js';
import type { Bind } from './dialects/search-dialect.js';
import type { Field } from './fields.js';
import type { SortKey } from './sort-order.js';
import { castValue } from './values.js';
import type { Bound } from './values.js';

type Position = readonly (Bound | null)[];

const MAX_LENGTH = 65_536;

/** The position of a file in this order, as an opaque text. */
export function encodeCursor(file: ManagedFile, keys: readonly SortKey[]): string {
  const position = keys.map(({ field }) => {
    const value = file[field.name];
    return value instanceof Date ? value.getTime() : value;
  });
  return Buffer.from(JSON.stringify([signature(keys), ...position])).toString('base64url');
}

/**
 * The SQL condition of coming after the cursor's position; throws `SearchQueryInvalidError` for a cursor that is not of
 * this order.
 */
export function afterCursor(
  cursor: unknown,
  keys: readonly SortKey[],
  column: (field: Field) => string,
  bind: Bind,
): string {
  const position = decodeCursor(cursor, keys);
  const same: string[] = [];
  const ways: string[] = [];
  let from: string | undefined;
  for (const [index, key] of keys.entries()) {
    const [name, value] = [column(key.field), position[index] ?? null];
    const bound = value === null ? undefined : bind(value);
    const beyond = isBeyond(name, bound, key);
    if (beyond) ways.push([...same, beyond].join(' AND '));
    if (index === 0) from = startOf(name, bound, key);
    same.push(bound === undefined ? `${name} IS NULL` : `${name} = ${bound}`);
  }
  if (ways.length === 0) return '1 = 0';
  const after = `(${ways.map((way) => `(${way})`).join(' OR ')})`;
  return from === undefined ? after : `(${from} AND ${after})`;
}

/**
 * Where the files after the position begin in an index on the first key: databases do not find this in the other
 * conditions.
 */
function startOf(column: string, bound: string | undefined, { field, direction }: SortKey): string | undefined {
  if (bound === undefined) return undefined;
  if (direction === 'asc') return `${column} >= ${bound}`;
  return field.nullable ? undefined : `${column} <= ${bound}`;
}

// A missing value comes before all others, as in the ORDER BY.
function isBeyond(column: string, bound: string | undefined, { field, direction }: SortKey): string | undefined {
  if (bound === undefined) return direction === 'asc' ? `${column} IS NOT NULL` : undefined;
  if (direction === 'asc') return `${column} > ${bound}`;
  return field.nullable ? `(${column} < ${bound} OR ${column} IS NULL)` : `${column} < ${bound}`;
}

function decodeCursor(cursor: unknown, keys: readonly SortKey[]): Position {
  const refuse = () => new SearchQueryInvalidError('cursor', 'it is not the `next` of a page in this order');
  if (typeof cursor !== 'string' || cursor.length > MAX_LENGTH) throw refuse();
  const parts = parse(cursor);
  if (!Array.isArray(parts) || parts.length !== keys.length + 1 || parts[0] !== signature(keys)) throw refuse();
  return keys.map(({ field }, index) => {
    const value: unknown = parts[index + 1];
    if (value === null && field.nullable) return null;
    return castValue(field.kind, field.kind === 'instant' ? instantOf(value) : value, 'cursor');
  });
}

// Not `new Date(value)`: it runs the methods of a value that has some.
function instantOf(value: unknown): Date {
  return new Date(typeof value === 'number' ? value : Number.NaN);
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function signature(keys: readonly SortKey[]): string {
  return keys.map(({ field, direction }) => `${field.name} ${direction}`).join();
}
