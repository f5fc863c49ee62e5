import { Not, In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { LocationInvalidError } from '../errors/storage.errors.js';
import { MARKERS } from '../files/intents/marker-intent.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { Storage } from '../storage/storage.js';

/** A location in a storage. `isKept`: the storage uses it for itself, so that no file can be there. */
export interface Located {
  readonly location: string;
  readonly isKept: boolean;
}

/** A storage whose rows may refer to bytes that the audited storage lists. */
export interface Neighbour {
  /** The name in its rows. */
  readonly name: string;
  /**
   * Translates a location of the audited storage to this storage's location for the same bytes; `undefined` if they are
   * outside of its place.
   */
  locate(location: string): Located | undefined;
}

/**
 * Returns three kinds of storages:
 * - the storage itself;
 * - configured storages whose place is the same, contains it, or is inside it;
 * - storages that rows name and that are not configured: the name may be an earlier name of this storage.
 */
export async function neighboursOf(
  storage: Storage,
  registry: StorageRegistry,
  manager: EntityManager,
): Promise<Neighbour[]> {
  const others = registry.names.filter((name) => name !== storage.name).map((name) => registry.get(name));
  const unknown = await manager
    .createQueryBuilder(ManagedFile, 'file')
    .select('file.storage', 'name')
    .where({ storage: Not(In(registry.names)) })
    .groupBy('file.storage')
    .getRawMany<{ name: string }>();
  const sameLocations = [storage, ...unknown].map(({ name }) => ({
    name,
    locate: (location: string) => ({ location, isKept: false }),
  }));
  const neighbours = await Promise.all(others.map((other) => neighbour(storage, other)));
  return [...sameLocations, ...neighbours.filter((other) => other !== undefined)];
}

async function neighbour(storage: Storage, other: Storage): Promise<Neighbour | undefined> {
  const [own, its] = [await placeOf(storage), await placeOf(other)];
  if (own === undefined || its === undefined || !(own.startsWith(its) || its.startsWith(own))) return undefined;
  return {
    name: other.name,
    locate: (location) => {
      const address = own + location;
      if (!address.startsWith(its)) return undefined;
      const rest = address.slice(its.length);
      return { location: rest, isKept: isKept(other, rest) };
    },
  };
}

/** Ends with a slash, as directories and prefixes of buckets do. */
async function placeOf({ markPlace }: Storage): Promise<string | undefined> {
  const place = (await markPlace?.resolved?.()) ?? markPlace?.place;
  return place?.replace(/\/?$/, '/');
}

/** Whether the storage uses the location for itself, for example for its mark. */
function isKept(storage: Storage, location: string): boolean {
  if (location.startsWith(`${MARKERS}/`)) return true;
  try {
    storage.assertLocation(location);
    return false;
  } catch (error) {
    if (error instanceof LocationInvalidError) return true;
    throw error;
  }
}
