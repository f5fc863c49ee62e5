import type { EntityManager, EntityMetadata } from 'typeorm';
import type { TransferRuntime } from '../transfer-runtime.js';
import { guardedEntity } from './guarded-entities.js';
import { ledgerOf } from './ledger-of.js';
import { rowsOfOwners } from './record-rows.js';

/** Notes what a statement of the library itself, past TypeORM's query builders, writes into the rows of these owners. */
export async function noteWrite<T>(
  runtime: TransferRuntime,
  manager: EntityManager,
  metadata: EntityMetadata,
  ownerIds: readonly string[],
  write: () => Promise<T>,
): Promise<T> {
  const entity = guardedEntity(metadata);
  if (!entity) return write();
  const ledger = ledgerOf(runtime, manager);
  for (const record of await rowsOfOwners(manager, entity, ownerIds, true)) ledger.seen(record);
  const result = await ledger.during(write());
  for (const { key, ownerId, values } of await rowsOfOwners(manager, entity, ownerIds)) {
    ledger.updated(entity, key, ownerId, values);
  }
  return result;
}
