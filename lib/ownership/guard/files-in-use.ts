import type { ObjectLiteral } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { guardedOwners, isSharedOwner } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import type { RecordLedger } from './record-ledger.js';
import { latestRowsOfOwners } from './record-rows.js';

/** Which files the rows of some owners name. */
export interface FilesInUse {
  isUsed(owner: OwnerReference, fileId: string): boolean;
}

/**
 * The files that other rows of the same owners name: a child whose parent is the owner has siblings, and several
 * classes may have one owner type. No statement if each owner has only one row.
 */
export async function filesInUse(
  transaction: OpenTransaction,
  ledger: RecordLedger,
  rows: readonly { entity: GuardedEntity; key: ObjectLiteral; ownerId: string }[],
): Promise<FilesInUse> {
  const { manager } = transaction;
  const used = new Set<string>();
  const add = (type: string, ownerId: string, fileId: string) => used.add(JSON.stringify([type, ownerId, fileId]));
  const idsByType = new Map<string, Set<string>>();
  for (const { entity, ownerId } of rows) {
    idsByType.set(entity.ownerType, (idsByType.get(entity.ownerType) ?? new Set()).add(ownerId));
  }
  for (const [type, ids] of idsByType) {
    if (!isSharedOwner(dataSourceOf(manager), type)) continue;
    for (const entity of guardedOwners(dataSourceOf(manager), type)) {
      for (const { ownerId, values } of await latestRowsOfOwners(transaction, entity, [...ids])) {
        for (const { ids: named } of values.values()) for (const id of named) add(type, ownerId as string, id);
      }
    }
  }
  if (ledger.isUnsure) await ledger.read(manager);
  for (const { entity, ownerId, values } of ledger.current) {
    for (const { ids } of values.values()) for (const id of ids) add(entity.ownerType, ownerId, id);
  }
  return { isUsed: ({ type, id }, fileId) => used.has(JSON.stringify([type, id, fileId])) };
}
