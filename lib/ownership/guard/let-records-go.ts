import type { EntityManager } from 'typeorm';
import type { OpenTransaction } from '../../unit-of-work/transaction/open-transaction.js';
import { deleteFiles, releaseFiles } from '../let-go.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import type { ReplacePolicy } from './file-field.decorator.js';
import { filesInUse } from './files-in-use.js';
import { isOwner } from './record-ledger.js';
import type { CurrentRow, RecordLedger } from './record-ledger.js';

interface LetGo {
  readonly row: CurrentRow;
  readonly onReplace: Exclude<ReplacePolicy, 'keep'>;
}

/**
 * Releases or deletes the files that a row named before it was written, or between two writes, and that no row of its owner names any more;
 * but not those that are `claimed` for another owner. Called before transfers, so that what goes makes room in a quota, and once more before
 * the COMMIT.
 */
export async function letRecordsGo(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
  claimed: readonly string[] = [],
): Promise<void> {
  const { manager } = transaction;
  if (ledger.isUnsure) await ledger.read(manager);
  const letGo = lettingGo(ledger.current);
  for (const id of claimed) letGo.delete(id);
  if (letGo.size === 0) return;
  // First the lock: whoever comes to name one of the files has it, too.
  const locked = await runtime.statements.lock(manager, [...letGo.keys()]);
  const used = await filesInUse(transaction, ledger, ownersOf(letGo));
  const dropped: Record<LetGo['onReplace'], FileSnapshot[]> = { release: [], delete: [] };
  for (const file of locked) {
    const { row, onReplace } = letGo.get(file.id) as LetGo;
    if (used.isUsed(row.owner, file.id)) continue;
    if (isOwner(row.owner, { type: file.ownerType, id: file.ownerId })) dropped[onReplace].push(file);
  }
  await runtime.inUnit(transaction, async (unit) => {
    await releaseFiles(runtime, unit.manager, dropped.release);
    await deleteFiles(runtime, unit, dropped.delete);
  });
}

/** The ids of the files that the rows have let go of so far, for whoever locks files before. */
export async function filesLetGo(ledger: RecordLedger, manager: EntityManager): Promise<string[]> {
  if (ledger.isUnsure) await ledger.read(manager);
  return [...lettingGo(ledger.current).keys()];
}

function lettingGo(rows: readonly CurrentRow[]): Map<string, LetGo> {
  const letGo = new Map<string, LetGo>();
  for (const row of rows) {
    const { before, formerly } = row.row;
    if (!row.entity.letsGo) continue;
    const now = new Set(
      row.entity.fields.flatMap((field) => (row.values.get(field) ?? before?.values.get(field))?.ids ?? []),
    );
    const between = [...formerly].map(([field, ids]) => [field, { ids }] as const);
    for (const [{ onReplace }, { ids }] of [...(before?.values ?? []), ...between]) {
      if (onReplace === 'keep') continue;
      for (const id of ids) if (!now.has(id)) letGo.set(id, { row, onReplace });
    }
  }
  return letGo;
}

function ownersOf(letGo: ReadonlyMap<string, LetGo>): CurrentRow[] {
  return [...new Set([...letGo.values()].map(({ row }) => row))];
}
