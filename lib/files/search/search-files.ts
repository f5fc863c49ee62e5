import type { DataSource } from 'typeorm';
import type { ManagedFile } from '../managed-file.entity.js';
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
  // One more than requested tells whether there is a next page.
  const found = limit === 0 ? [] : await search.find(cursor, offset, limit + 1);
  const results = found.slice(0, limit);
  const last = results.at(-1);
  return {
    count: isLast(found, search) ? offset + found.length : await search.count(),
    results,
    next: last && found.length > limit ? search.cursorOf(last) : null,
  };
}

/** Whether the last of all files is among the found, so that there is nothing more to count. */
function isLast(found: readonly ManagedFile[], { offset, limit, cursor }: FileSearch): boolean {
  return cursor === null && found.length <= limit && limit > 0 && (found.length > 0 || offset === 0);
}
