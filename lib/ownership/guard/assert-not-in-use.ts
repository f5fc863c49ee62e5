import type { EntityManager } from 'typeorm';
import { FilesInUseError } from '../../errors/files-in-use.error.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/open-transaction.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { guardedOwners } from './guarded-entities.js';
import { isOwner } from './record-ledger.js';
import type { RecordLedger } from './record-ledger.js';
import { latestRowsOfOwners } from './record-rows.js';
import { dataSourceOf } from '../../unit-of-work/data-source-of.js';

/** Throws `FilesInUseError` where a file was deleted or transferred, and a row of its owner before still names it. */
export async function assertNotInUse(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  const byType = new Map<string, Map<string, OwnerReference>>();
  for (const [fileId, owner] of await takenFrom(runtime, ledger, manager)) {
    const files = byType.get(owner.type) ?? new Map<string, OwnerReference>();
    byType.set(owner.type, files.set(fileId, owner));
  }
  for (const [type, files] of byType) {
    const ids = [...new Set([...files.values()].map(({ id }) => id))];
    for (const entity of guardedOwners(dataSourceOf(manager), type)) {
      for (const { ownerId, values } of await latestRowsOfOwners(transaction, entity, ids)) {
        for (const [field, named] of values) {
          const used = named.ids.find((id) => files.get(id)?.id === ownerId);
          if (used !== undefined)
            throw new FilesInUseError([used], { ownerType: type, ownerId: ownerId as string, field: field.name });
        }
      }
    }
  }
}

/** The files that were taken, and stay so: what took them may have been undone. */
async function takenFrom(
  { statements }: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<ReadonlyMap<string, OwnerReference>> {
  const { takenFiles } = ledger;
  if (takenFiles.size === 0 || !ledger.isUndone) return takenFiles;
  const files = await statements.look(manager, [...takenFiles.keys()]);
  const owners = new Map(files.map(({ id, ownerType, ownerId }) => [id, { type: ownerType, id: ownerId }]));
  return new Map([...takenFiles].filter(([id, owner]) => !isOwner(owner, owners.get(id))));
}
