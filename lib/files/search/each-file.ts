import { detach } from '../../unit-of-work/scopes/ambient.js';
import type { DataSource } from 'typeorm';
import type { ManagedFile } from '../managed-file.entity.js';
import type { FileFilter } from './file-filter.js';
import { FileSearch } from './file-search.js';

const FILES_PER_PAGE = 200;

/** The search for files of the scope that match the filters, if there are any. Throws `SearchQueryInvalidError`. */
export function searchWithin(dataSource: DataSource, scope?: FileFilter, filters?: FileFilter): FileSearch {
  return new FileSearch(dataSource, filters ? { filters } : {}, scope);
}

/** All files that match, in the order of their ids: page by page, outside of any unit of work. */
export async function* eachFile(
  dataSource: DataSource,
  scope: FileFilter,
  filters?: FileFilter,
): AsyncGenerator<ManagedFile, void> {
  for (let after: string | undefined; ;) {
    const within: FileFilter = after === undefined ? scope : { $and: [scope, { id: { $gt: after } }] };
    const page = await detach(() => searchWithin(dataSource, within, filters).find(null, 0, FILES_PER_PAGE));
    yield* page;
    after = page.at(-1)?.id;
    if (page.length < FILES_PER_PAGE) return;
  }
}
