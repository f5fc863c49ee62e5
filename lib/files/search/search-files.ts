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
  const { start, rows, after } = search;
  const count = await search.count();
  if (count === 0 || rows === 0) return { count, results: [], next: null };
  // One more than asked for tells whether there is a next page.
  const found = await search.find(after, start, rows + 1);
  const results = found.slice(0, rows);
  const last = results.at(-1);
  return { count, results, next: last && found.length > rows ? search.cursorOf(last) : null };
}
