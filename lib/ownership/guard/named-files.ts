import type { DataSource } from 'typeorm';
import { normalizeFileId } from '../../files/file-id.js';
import { idsIn } from '../object-index.js';
import type { GuardedField } from './guarded-entities.js';

/** What a field of a row says: ids of files, and texts that are none. */
export interface NamedFiles {
  readonly ids: readonly string[];
  readonly junk: readonly unknown[];
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
  const read = split(idsIn(value));
  if (!column.transformer || (read.ids.length > 0 && read.junk.length === 0)) return orWhole(read, value);
  const stored: unknown = dataSource.driver.preparePersistentValue(value, column);
  return orWhole(split(storedIds(stored)), stored);
}

function split(texts: readonly string[]): NamedFiles {
  const ids = new Set<string>();
  const junk: unknown[] = [];
  for (const text of texts) {
    const id = normalizeFileId(text);
    if (id !== undefined) ids.add(id);
    else if (text !== '') junk.push(text);
  }
  return { ids: [...ids], junk };
}

/** A value that is neither an id nor a list names nothing that could be owned. */
function orWhole(named: NamedFiles, value: unknown): NamedFiles {
  if (named.ids.length > 0 || named.junk.length > 0) return named;
  const isEmpty = value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
  return isEmpty || (value instanceof Set && value.size === 0) ? NOTHING : { ids: [], junk: [value] };
}

function storedIds(stored: unknown): string[] {
  if (typeof stored !== 'string') return idsIn(stored);
  if (normalizeFileId(stored) !== undefined) return [stored];
  try {
    return idsIn(JSON.parse(stored));
  } catch {
    return stored.split(',').map((text) => text.trim());
  }
}
