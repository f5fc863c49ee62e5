import { inspect } from 'node:util';
import type { DataSource } from 'typeorm';
import { normalizeFileId } from '../../files/file-id.js';
import { idsIn } from '../object-index.js';
import type { GuardedField } from './guarded-entities.js';

/** What a field of a row says: ids of files, and texts that are none. */
export interface NamedFiles {
  readonly ids: readonly string[];
  readonly junk: readonly unknown[];
}

/** A value that is no id, as a text: also one that JSON made of `{ "toString": 1 }`, which `String()` cannot convert. */
export function textOfJunk(value: unknown): string {
  return typeof value === 'object' && value !== null ? inspect(value, { breakLength: Infinity }) : String(value);
}

const NOTHING: NamedFiles = { ids: [], junk: [] };

/**
 * What the value of a field names, as an entity has it. A transformer may make anything of an id; then the value that is stored is read.
 */
export function filesNamedBy(dataSource: DataSource, { column }: GuardedField, value: unknown): NamedFiles {
  if (value === null || value === undefined || value === '') return NOTHING;
  if (typeof value === 'string') {
    const id = normalizeFileId(value);
    if (id !== undefined) return { ids: [id], junk: [] };
  }
  const read = namedIn(value);
  if (!column.transformer || (read.ids.length > 0 && read.junk.length === 0)) return orWhole(read, value);
  const stored: unknown = dataSource.driver.preparePersistentValue(value, column);
  return orWhole(namedInStored(stored), stored);
}

/** What one value names, or the items of a list. What a list has beside ids and related objects is not left out: it is stored too. */
function namedIn(value: unknown): NamedFiles {
  if (!isList(value)) return split(idsIn(value));
  const items: unknown[] = [];
  for (const item of value) if (item !== null && item !== undefined) items.push(idOf(item));
  return split(items);
}

function idOf(item: unknown): unknown {
  if (typeof item === 'string') return item;
  const [id] = isList(item) ? [] : idsIn(item);
  return id ?? item;
}

function isList(value: unknown): value is Iterable<unknown> {
  return Array.isArray(value) || value instanceof Set;
}

function split(values: readonly unknown[]): NamedFiles {
  const ids = new Set<string>();
  const junk: unknown[] = [];
  for (const value of values) {
    const id = typeof value === 'string' ? normalizeFileId(value) : undefined;
    if (id !== undefined) ids.add(id);
    else if (value !== '') junk.push(value);
  }
  return { ids: [...ids], junk };
}

/** A value that is neither an id nor a list names nothing that could be owned. */
function orWhole(named: NamedFiles, value: unknown): NamedFiles {
  if (named.ids.length > 0 || named.junk.length > 0) return named;
  const isEmpty = value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
  return isEmpty || (value instanceof Set && value.size === 0) ? NOTHING : { ids: [], junk: [value] };
}

function namedInStored(stored: unknown): NamedFiles {
  if (typeof stored !== 'string' || normalizeFileId(stored) !== undefined) return namedIn(stored);
  try {
    return namedIn(JSON.parse(stored));
  } catch {
    return namedIn(stored.split(',').map((text) => text.trim()));
  }
}
