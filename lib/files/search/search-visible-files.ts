import type { DataSource } from 'typeorm';
import type { ManagedFile } from '../managed-file.entity.js';
import type { FileFilter, FoundFiles, SearchOptions } from './file-filter.js';
import { FileSearch } from './file-search.js';
import { LIMITS } from './limits.js';

/** Returns the visible files, in their order. */
export type Sieve = (files: readonly ManagedFile[]) => Promise<readonly ManagedFile[]>;

/**
 * As `searchFiles`, as if the files that the sieve removes did not exist: pages are full, and neither `count` nor
 * `next` reveals them. For that, all matching files are read, a bounded number at a time.
 */
export async function searchVisibleFiles(
  dataSource: DataSource,
  options: SearchOptions,
  scope: FileFilter,
  sieve: Sieve,
): Promise<FoundFiles> {
  const search = new FileSearch(dataSource, options, scope);
  const { offset, limit, cursor } = search;
  let count = 0;
  const found: ManagedFile[] = [];
  for await (const file of visible(search, null, sieve)) {
    // One more than requested tells whether there is a next page.
    if (cursor === null && count >= offset && found.length <= limit) found.push(file);
    count++;
  }
  if (cursor !== null && count > 0) {
    let passed = 0;
    for await (const file of visible(search, cursor, sieve)) {
      if (passed++ >= offset) found.push(file);
      if (found.length > limit) break;
    }
  }
  const results = found.slice(0, limit);
  const last = results.at(-1);
  return { count, results, next: last && found.length > limit ? search.cursorOf(last) : null };
}

async function* visible(search: FileSearch, from: string | null, sieve: Sieve): AsyncGenerator<ManagedFile, void> {
  let cursor = from;
  for (;;) {
    const files = await search.find(cursor, 0, LIMITS.files);
    yield* await sieve(files);
    const last = files.at(-1);
    if (last === undefined || files.length < LIMITS.files) return;
    cursor = search.cursorOf(last);
  }
}
