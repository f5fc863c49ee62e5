import type { OwnerReference } from '../../files/owner-reference.js';
import type { FileSnapshot, Move, OwnershipState, TransferTerms, Verdict } from './transfer-statements.js';

/** What becomes of a move; the PostgreSQL statement says the same in SQL, and one table of cases holds both to it. */
export function verdictOf(
  file: OwnershipState | undefined,
  move: Move,
  { actor, isManager, force }: TransferTerms,
): Verdict {
  if (file === undefined) return 'missing';
  if (file.ownerType === move.toType && file.ownerId === move.toId) return 'kept';
  const isOwn = actor !== null && file.ownerType === actor.type && file.ownerId === actor.id;
  const mayTake = isManager || isOwn || move.from === 'anyone' || (move.from === 'unowned' && file.ownerType === null);
  if (!mayTake) return 'foreign';
  return file.pinned && !force ? 'pinned' : 'moved';
}

/** The file's ownership. A missing file has no owner. */
export function stateOf(file: OwnershipState | undefined): OwnershipState {
  return { ownerType: file?.ownerType ?? null, ownerId: file?.ownerId ?? null, pinned: file?.pinned ?? false };
}

/** The owner that the state names. */
export function ownerOf({ ownerType, ownerId }: Pick<OwnershipState, 'ownerType' | 'ownerId'>): OwnerReference | null {
  return ownerType === null || ownerId === null ? null : { type: ownerType, id: ownerId };
}

/** A row of the database as a snapshot; drivers differ in how they give booleans and 64-bit integers. */
export function toSnapshot(row: Record<string, unknown>): FileSnapshot {
  return {
    id: String(row['id']),
    ownerType: row['ownerType'] as string | null,
    ownerId: row['ownerId'] as string | null,
    pinned: Boolean(row['pinned']),
    storage: String(row['storage']),
    contentType: String(row['contentType']),
    size: Number(row['size']),
    ownerField: row['ownerField'] as string | null,
  };
}
