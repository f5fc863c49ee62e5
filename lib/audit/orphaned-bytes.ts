import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { AuditOptionInvalidError } from '../errors/setup.errors.js';
import { FileIntent } from '../files/intents/file-intent.entity.js';
import { MARKERS } from '../files/intents/marker-intent.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { FileUpload } from '../files/uploads/file-upload.entity.js';
import { locationKey } from '../storage/location-key.js';
import type { LocatedObject } from '../storage/storage-adapter.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { Storage } from '../storage/storage.js';
import type { AuditReads } from './audit-reads.js';
import { type Neighbour, neighboursOf } from './storage-places.js';

/** Options of the search for bytes without a file. */
export interface OrphanOptions {
  /** The name of the storage. @default all storages that can list */
  storage?: string;
  /**
   * Milliseconds. Bytes that were written within this time are left out, because their file may still be created.
   * @default a day
   */
  olderThan?: number;
  /** Ends the search. The loop over the results throws the signal's reason. */
  signal?: AbortSignal;
  /** Called with how many objects of the storages have been looked at so far. */
  onProgress?: (looked: number) => void;
}

/** Bytes that no file, no intent and no direct upload refers to. */
export interface OrphanedBytes extends LocatedObject {
  /** The name of the storage that contains the bytes. */
  readonly storage: string;
}

const DAY = 86_400_000;
const LOCATIONS_PER_PAGE = 1_000;

/**
 * Returns the storages to search. Throws `AuditOptionInvalidError`, `StorageUnknownError` or `CapabilityMissingError`.
 */
export function storagesToSearch(registry: StorageRegistry, { storage, olderThan = DAY }: OrphanOptions): Storage[] {
  if (!Number.isFinite(olderThan) || olderThan < 0 || olderThan > Date.now())
    throw new AuditOptionInvalidError(
      'olderThan',
      `it is ${olderThan}, and must be a number of milliseconds, 0 or more, that leads to a date after 1970`,
    );
  if (storage === undefined) return registry.names.map((name) => registry.get(name)).filter((one) => one.can('list'));
  const named = registry.get(storage);
  named.require('list');
  return [named];
}

export async function* orphanedBytes(
  storages: readonly Storage[],
  registry: StorageRegistry,
  reads: AuditReads,
  { olderThan = DAY, signal, onProgress }: OrphanOptions,
): AsyncGenerator<OrphanedBytes, void> {
  const before = new Date(Date.now() - olderThan);
  let looked = 0;
  for (const storage of storages) {
    const neighbours = await reads.now((manager) => neighboursOf(storage, registry, manager));
    const others = registry.names.filter((name) => name !== storage.name);
    for await (const page of pagesOf(storage, before, signal)) {
      yield* orphansAmong(storage, { neighbours, others }, page, reads);
      onProgress?.((looked += page.length));
    }
  }
}

/**
 * Pages of the objects that were last written by the time `before`, without the markers that the library keeps in the
 * storage.
 */
async function* pagesOf(storage: Storage, before: Date, signal?: AbortSignal): AsyncGenerator<LocatedObject[], void> {
  let page: LocatedObject[] = [];
  for await (const found of storage.list()) {
    signal?.throwIfAborted();
    if (found.modifiedAt > before || found.location.startsWith(`${MARKERS}/`)) continue;
    page.push(found);
    if (page.length < LOCATIONS_PER_PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

async function* orphansAmong(
  storage: Storage,
  { neighbours, others }: { neighbours: readonly Neighbour[]; others: readonly string[] },
  page: readonly LocatedObject[],
  reads: AuditReads,
): AsyncGenerator<OrphanedBytes, void> {
  // One snapshot for all tables: from their creation to their removal, bytes always have a row or an intent. Separate
  // reads could miss both.
  const [known, copies] = await reads.atOnce(async (manager) => {
    const withRow = await knownAmong(manager, neighbours, page);
    const unknown = page.filter((found) => !withRow.has(found));
    return [withRow, await copiesAmong(manager, others, unknown)] as const;
  });
  for (const found of page) {
    if (known.has(found) || copies.has(found)) continue;
    // Bytes that were deleted after the listing are not orphans.
    if (storage.can('stat') && !(await storage.exists(found.location))) continue;
    yield { storage: storage.name, ...found };
  }
}

async function knownAmong(
  manager: EntityManager,
  neighbours: readonly Neighbour[],
  page: readonly LocatedObject[],
): Promise<ReadonlySet<LocatedObject>> {
  const known = new Set<LocatedObject>();
  for (const { name, locate } of neighbours) {
    const keys = new Map<string, LocatedObject>();
    for (const found of page) {
      const there = locate(found.location);
      if (there?.isKept) known.add(found);
      else if (there) keys.set(locationKey(there.location), found);
    }
    for (const key of await keysWithRow(manager, name, [...keys.keys()])) {
      const found = keys.get(key);
      if (found) known.add(found);
    }
  }
  return known;
}

/**
 * Finds the objects that are copies of files in other storages: at the same location, with the same size. See
 * `FilesMirror`.
 */
async function copiesAmong(
  manager: EntityManager,
  storages: readonly string[],
  page: readonly LocatedObject[],
): Promise<ReadonlySet<LocatedObject>> {
  if (storages.length === 0 || page.length === 0) return new Set();
  const keys = page.map(({ location }) => locationKey(location));
  const rows = await manager.find(ManagedFile, {
    select: { locationKey: true, size: true },
    where: { storage: In([...storages]), locationKey: In(keys) },
  });
  const sizes = new Set(rows.map((row) => `${row.locationKey} ${row.size}`));
  return new Set(page.filter(({ size }, at) => sizes.has(`${keys[at]} ${size}`)));
}

async function keysWithRow(manager: EntityManager, storage: string, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const select = { locationKey: true } as const;
  const where = { storage, locationKey: In(keys) };
  const files = await manager.find(ManagedFile, { select, where });
  const intents = await manager.find(FileIntent, { select, where });
  const uploads = await manager.find(FileUpload, { select, where });
  return [...files, ...intents, ...uploads].map((row) => row.locationKey);
}
