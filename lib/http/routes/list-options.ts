import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { SearchOptions } from '../../files/search/file-filter.js';
import type { ListFilesInput } from './inputs.js';

// These are not shown, and must not be guessed by filters either. The application decides about metadata by the file.
const PRIVATE = new Set(['location', 'locationKey', 'storageData', 'metadata', 'scanner', 'finding']);

/** The search options in the query. The search validates them. */
export function readListOptions({ offset, limit, cursor, sort, filters }: ListFilesInput): SearchOptions {
  return {
    ...(offset !== undefined && { offset: Number(offset) }),
    ...(limit !== undefined && { limit: Number(limit) }),
    ...(cursor !== undefined && { cursor }),
    ...(sort !== undefined && { sort: readSort(sort) as SearchOptions['sort'] }),
    ...(filters !== undefined && { filters: readJson(filters, 'filters') as SearchOptions['filters'] }),
  };
}

/** Throws `SearchQueryInvalidError` for fields that only managers may look at. */
export function assertPublicFields({ filters, sort }: SearchOptions): void {
  assertPublicFilters(filters, 'filters');
  for (const name of [sort].flat(2)) assertPublic(name, 'sort');
}

function assertPublicFilters(filters: unknown, at: string): void {
  if (typeof filters !== 'object' || filters === null) return;
  for (const [name, value] of Object.entries(filters)) {
    if (name !== '$and' && name !== '$or') assertPublic(name, at);
    else if (Array.isArray(value)) for (const part of value) assertPublicFilters(part, `${at}.${name}`);
  }
}

function assertPublic(name: unknown, at: string): void {
  const [column = ''] = typeof name === 'string' ? name.split('.') : [];
  if (PRIVATE.has(column)) throw new SearchQueryInvalidError(at, `only managers search by "${column}"`);
}

/** `size:desc,name`, or JSON. */
function readSort(sort: string): unknown {
  if (/^\s*[["]/.test(sort)) return readJson(sort, 'sort');
  return sort.split(',').map((term) => {
    const [field = '', ...direction] = term.trim().split(':');
    return direction.length === 0 ? field : [field, ...direction];
  });
}

function readJson(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SearchQueryInvalidError(at, 'it is not JSON');
  }
}
