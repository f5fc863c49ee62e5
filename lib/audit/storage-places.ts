import { Not, In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { LocationInvalidError } from '../errors/storage.errors.js';
import { MARKERS } from '../files/intents/marker-intent.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { Storage } from '../storage/storage.js';

/** Where a storage has bytes; `isKept` for those that it keeps there for its own use. */
export interface Located {
  readonly location: string;
  readonly isKept: boolean;
}

/** A storage whose rows may mean bytes that another storage lists, too. */
export interface Neighbour {
  /** The name in its rows. */
  readonly name: string;
  /** Where it has the bytes that the other one has at the location: `undefined` for bytes outside of its place. */
  locate(location: string): Located | undefined;
}

/**
 * The storage itself, those whose place is the same, above it or below it, and those that rows name although they are not configured: they may
 * be this one under an earlier name.
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
  return [...sameLocations, ...others.flatMap((other) => neighbour(storage, other) ?? [])];
}

function neighbour(storage: Storage, other: Storage): Neighbour | undefined {
  const [own, its] = [placeOf(storage), placeOf(other)];
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
function placeOf({ markPlace }: Storage): string | undefined {
  return markPlace && markPlace.place.replace(/\/?$/, '/');
}

/** Its mark, for instance: no file can be there. */
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
