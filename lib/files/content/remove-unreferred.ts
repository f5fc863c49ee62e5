import type { DataSource } from 'typeorm';
import { locationKey } from '../../storage/location-key.js';
import type { Storage } from '../../storage/storage.js';
import { ManagedFile } from '../managed-file.entity.js';

/** The fate of bytes: kept, because a file refers to them, or removed, with their number if the storage tells it. */
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
