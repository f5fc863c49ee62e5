import type { DataSource } from 'typeorm';
import type { FileFilter, FoundFiles, SearchOptions } from './file-filter.js';
import { FileSearch } from './file-search.js';

/** One page of the files that match, of those within the `scope`. */
export async function searchFiles(
  dataSource: DataSource,
  options: SearchOptions,
  scope?: FileFilter,
): Promise<FoundFiles> {
  const search = new FileSearch(dataSource, options, scope);
  const { offset, limit, cursor } = search;
  const count = await search.count();
  if (count === 0 || limit === 0) return { count, results: [], next: null };
  // One more than requested tells whether there is a next page.
  const found = await search.find(cursor, offset, limit + 1);
  const results = found.slice(0, limit);
  const last = results.at(-1);
  return { count, results, next: last && found.length > limit ? search.cursorOf(last) : null };
}
