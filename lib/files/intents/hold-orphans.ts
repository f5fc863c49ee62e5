import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { locationKey } from '../../storage/location-key.js';
import type { Storage } from '../../storage/storage.js';
import { ManagedFile } from '../managed-file.entity.js';
import { newFile } from '../new-file.js';
import { NOT_SCANNED } from '../scan/scan-state.js';

interface Place {
  readonly storage: Storage;
  readonly location: string;
}

/**
 * Finds the places that belong to no file. Until the transaction ends, nobody can make a file of their bytes: their
 * rows are in the unique index, so that a registration in progress is waited for, and one that begins waits, and finds
 * the intents that this transaction leaves.
 */
export async function holdOrphans<P extends Place>(manager: EntityManager, places: readonly P[]): Promise<Set<P>> {
  const holds = new Map(
    places
      // In one order, so that two callers cannot deadlock.
      .toSorted((one, other) => (locationKey(one.location) < locationKey(other.location) ? -1 : 1))
      .map((place) => [heldRow(place), place] as const),
  );
  const rows = [...holds.keys()];
  if (rows.length === 0) return new Set();
  const insert = manager.createQueryBuilder().insert().into(ManagedFile);
  await insert
    .values(rows.map((row) => ({ ...row }) as object))
    .orIgnore()
    .updateEntity(false)
    .execute();
  const mine = { id: In(rows.map(({ id }) => id)) };
  const held = new Set((await manager.find(ManagedFile, { select: { id: true }, where: mine })).map(({ id }) => id));
  await manager.delete(ManagedFile, mine);
  return new Set([...holds].flatMap(([{ id }, place]) => (held.has(id) ? [place] : [])));
}

/** A row that nobody ever sees. */
function heldRow({ storage: { name: storage }, location }: Place): ManagedFile {
  const nothing = { contentType: '', charset: null, size: 0, hash: '', hashAlgorithm: '', ...NOT_SCANNED };
  return newFile({ name: '', storage, location, ...nothing }, null);
}
