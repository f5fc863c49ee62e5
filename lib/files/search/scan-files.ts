import type { DataSource } from 'typeorm';
import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { ActorSource } from '../../actor/actor.js';
import type { FoundFiles, ScanOptions } from './file-filter.js';
import { isPlainObject } from './plain-object.js';
import { searchFiles } from './search-files.js';
import { show } from './show.js';
import { castText } from './values.js';

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
