import type { EntityManager } from 'typeorm';
import { ownerOf } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import { isSharedOwner } from './guard/guarded-entities.js';
import { findLedger } from './guard/record-ledger.js';
import { chargeMoves } from './quotas/charge-moves.js';
import type { FileSnapshot, Move } from './statements/transfer-statements.js';
import type { TransferRuntime } from './transfer-runtime.js';

/** A file that the caller has locked, and its new owner. */
export interface Gift {
  readonly file: FileSnapshot;
  readonly to: OwnerReference;
  /** The field of the new owner that names it, if one does. */
  readonly field: string | null;
}

/**
 * Gives the files to other owners, and updates their rows, their history (`'transfer'`), the ledger, and the quotas of
 * both owners. Throws `QuotaExceededError` where a new owner has no room. A pinned file stays pinned. The owners are
 * not looked for.
 */
export async function giveFiles(
  runtime: TransferRuntime,
  manager: EntityManager,
  gifts: readonly Gift[],
): Promise<void> {
  if (gifts.length === 0) return;
  const moves = gifts.map(({ file, to, field }): Move => ({
    fileId: file.id,
    toType: to.type,
    toId: to.id,
    field,
    from: 'anyone',
  }));
  const { actor } = await runtime.actor();
  const terms = { actor, isManager: true, force: true, pin: false };
  const outcomes = await runtime.statements.transfer(manager, moves, terms);
  await chargeMoves(runtime, manager, moves, outcomes);
  const ledger = findLedger(manager);
  if (!ledger) return;
  // Other rows of their former owner may name them.
  for (const { fileId, verdict, before } of outcomes) {
    const from = ownerOf(before);
    if (verdict === 'moved' && from && isSharedOwner(dataSourceOf(manager), from.type))
      ledger.files.taken(fileId, from);
  }
  for (const { file, to } of gifts) ledger.files.given(file.id, to);
}
