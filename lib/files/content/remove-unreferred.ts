import { In } from 'typeorm';
import type { DataSource } from 'typeorm';
import { locationKey } from '../../storage/location-key.js';
import type { Storage } from '../../storage/storage.js';
import { inLanes } from '../../storage/in-lanes.js';
import { ManagedFile } from '../managed-file.entity.js';

/**
 * What happened to the bytes: kept, because a file refers to them, or removed. `bytes` is 0 if the storage does not
 * tell sizes.
 */
export type RemovedBytes = { kept: true } | { kept: false; bytes: number };

/** Removes the bytes at the location, unless a file refers to them. */
export async function removeUnreferred(
  dataSource: DataSource,
  storage: Storage,
  location: string,
): Promise<RemovedBytes> {
  const file = { storage: storage.name, locationKey: locationKey(location) };
  if (await dataSource.getRepository(ManagedFile).existsBy(file)) return { kept: true };
  const found = storage.can('stat') ? await storage.stat(location) : undefined;
  await storage.remove(location);
  return { kept: false, bytes: found?.size ?? 0 };
}

// How many sizes are asked for at the same time.
const SIZES_AT_ONCE = 8;

/**
 * As `removeUnreferred`, for several locations, with one statement and the storage's own removal of many. The results
 * are in the order of the locations. Throws if the storage cannot remove one of them; others may be removed then.
 */
export async function removeAllUnreferred(
  dataSource: DataSource,
  storage: Storage,
  locations: readonly string[],
): Promise<RemovedBytes[]> {
  const locationKeys = locations.map(locationKey);
  const rows = await dataSource.getRepository(ManagedFile).find({
    select: { locationKey: true },
    where: { storage: storage.name, locationKey: In(locationKeys) },
  });
  const referred = new Set(rows.map((row) => row.locationKey));
  const isReferred = locationKeys.map((key) => referred.has(key));
  const sizes = await inLanes(locations, SIZES_AT_ONCE, async (location) => {
    const found = storage.can('stat') ? await storage.stat(location) : undefined;
    return found?.size ?? 0;
  });
  await storage.removeAll(locations.filter((_, at) => !isReferred[at]));
  return sizes.map((bytes, at) => (isReferred[at] ? { kept: true } : { kept: false, bytes }));
}
