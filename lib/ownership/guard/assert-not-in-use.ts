import type { EntityManager } from 'typeorm';
import { FilesInUseError } from '../../errors/guard.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { guardedOwners } from './guarded-entities.js';
import { isOwner } from './written-row.js';
import type { RecordLedger } from './record-ledger.js';
import { latestRowsOfOwners } from './record-rows.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/connected.js';

/** Throws `FilesInUseError` where a file was deleted or transferred, and a row of its owner before still names it. */
export async function assertNotInUse(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  const byType = new Map<string, Map<string, string[]>>();
  for (const [fileId, owners] of await takenFrom(runtime, ledger, manager)) {
    for (const { type, id } of owners) {
      const files = byType.get(type) ?? new Map<string, string[]>();
      byType.set(type, files.set(fileId, [...(files.get(fileId) ?? []), id]));
    }
  }
  for (const [type, files] of byType) {
    const ids = [...new Set([...files.values()].flat())];
    for (const entity of guardedOwners(dataSourceOf(manager), type)) {
      for (const { ownerId, values } of await latestRowsOfOwners(transaction, entity, ids)) {
        for (const [field, named] of values) {
          const used = named.ids.find((id) => files.get(id)?.includes(ownerId as string));
          if (used !== undefined)
            throw new FilesInUseError([used], { ownerType: type, ownerId: ownerId as string, field: field.name });
        }
      }
    }
  }
}

/** The files that were taken, and are not given back: what took them may have been undone. */
async function takenFrom(
  { statements }: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<ReadonlyMap<string, readonly OwnerReference[]>> {
  const { takenFiles } = ledger;
  let ownerOf = (id: string): Parameters<typeof isOwner>[1] => ledger.ownerGiven(id);
  if (ledger.isUndone) {
    const files = await statements.look(manager, [...takenFiles.keys()]);
    const owners = new Map(files.map(({ id, ownerType, ownerId }) => [id, { type: ownerType, id: ownerId }]));
    ownerOf = (id) => owners.get(id);
  }
  return new Map([...takenFiles].map(([id, owners]) => [id, owners.filter((one) => !isOwner(one, ownerOf(id)))]));
}
