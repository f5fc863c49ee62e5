import type { EntityManager } from 'typeorm';
import { ambientOf } from '../../unit-of-work/scopes/here.js';
import type { CommitOutcome } from '../../unit-of-work/transaction/commit-outcome.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { databaseFault } from '../../unit-of-work/transaction/database-fault.js';
import { FileTransfer } from '../file-transfer.entity.js';

/** Makes this row of the history the witness of the unit that wrote it. */
export function witnessHistory(manager: EntityManager, id: string | undefined): void {
  const here = ambientOf(dataSourceOf(manager));
  if (id === undefined || here?.kind !== 'scope') return;
  here.transaction.addWitness((beside) => rowStands(beside, id));
}

/**
 * The same row once more: its insert waits for a transaction that has written it, and is refused if that one was
 * committed.
 */
async function rowStands(manager: EntityManager, id: string): Promise<CommitOutcome> {
  const nobody = { fromType: null, fromId: null, toType: null, toId: null, actorType: null, actorId: null };
  const row = { id, fileId: id, action: 'create' as const, ...nobody, forced: false, at: new Date() };
  try {
    // All of this is rolled back, so subscribers must not hear of it.
    await manager.createQueryBuilder().insert().into(FileTransfer).values(row).callListeners(false).execute();
    return 'rolled back';
  } catch (error) {
    if (databaseFault(error) !== 'unique') throw error;
    return 'committed';
  }
}
