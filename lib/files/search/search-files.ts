import type { DataSource } from 'typeorm';
import type { ActorSource } from '../../actor/actor.js';
import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { ManagedFile } from '../managed-file.entity.js';
import type { FileFilter, FoundFiles, ScanOptions, SearchOptions } from './file-filter.js';
import { FileSearch } from './file-search.js';
import { show } from './show.js';
import { castText, isPlainObject } from './values.js';

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

/** One owner's files, through the index on owners; of the actor where no owner is named. */
export async function scanFiles(
  dataSource: DataSource,
  actors: ActorSource,
  options: ScanOptions,
): Promise<FoundFiles> {
  if (!isPlainObject(options)) throw new SearchQueryInvalidError('options', `${show(options)} is not an object`);
  const { ownerType, ownerId, ...search }: ScanOptions = options;
  const [type, id] = ownerType === undefined && ownerId === undefined ? await actorOf(actors) : [ownerType, ownerId];
  const owner = { type: castText(type, 'ownerType'), id: castText(id, 'ownerId') };
  return searchFiles(dataSource, search, { owner });
}

async function actorOf(actors: ActorSource): Promise<[type: string, id: string]> {
  const actor = await actors.current();
  if (actor) return [actor.type, actor.id];
  throw new SearchQueryInvalidError('ownerType', 'no owner is named, and there is no actor whose files could be meant');
}
