import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { Field } from './fields.js';
import { fieldNamed, isSortField } from './fields.js';
import { show } from './show.js';

export interface SortKey {
  readonly field: Field;
  readonly direction: 'asc' | 'desc';
}

/** The keys of a sort, which end in the id, so that no two files have the same position. */
export function sortKeys(sort: unknown = []): SortKey[] {
  const terms: unknown[] = isTerm(sort) ? [sort] : listOf(sort);
  const keys: SortKey[] = [];
  for (const [index, term] of terms.entries()) {
    const key = sortKey(term, terms.length > 1 ? `sort[${index}]` : 'sort');
    if (keys.some(({ field }) => field === key.field))
      throw new SearchQueryInvalidError('sort', `${key.field.name} is named more than once`);
    keys.push(key);
  }
  const last = keys.findIndex(({ field }) => field.name === 'id');
  if (last >= 0) return keys.slice(0, last + 1);
  return [...keys, { field: fieldNamed('id', 'sort'), direction: keys.at(-1)?.direction ?? 'asc' }];
}

function listOf(sort: unknown): unknown[] {
  if (!Array.isArray(sort))
    throw new SearchQueryInvalidError('sort', `${show(sort)} is neither a field nor a list of fields`);
  // More than there are columns.
  if (sort.length > 64) throw new SearchQueryInvalidError('sort', 'there are more fields than a file has');
  return Array.from(sort as unknown[]);
}

function sortKey(term: unknown, at: string): SortKey {
  const [name, direction] = isPair(term) ? term : [term, 'asc' as const];
  const field = fieldNamed(name, at);
  if (!isSortField(field))
    throw new SearchQueryInvalidError(at, `JSON has no order, so that ${field.name} cannot be sorted by`);
  return { field, direction };
}

function isTerm(sort: unknown): boolean {
  return typeof sort === 'string' || isPair(sort);
}

function isPair(term: unknown): term is [unknown, 'asc' | 'desc'] {
  return Array.isArray(term) && term.length === 2 && (term[1] === 'asc' || term[1] === 'desc');
}
