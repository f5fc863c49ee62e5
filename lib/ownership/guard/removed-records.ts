import { OwnerHasFilesError } from '../../errors/ownership.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { applyPolicies } from '../let-go.js';
import type { FilesToLetGo } from '../let-go.js';
import type { OwnerRemovalPolicy } from '../owns-files.decorator.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { filesInUse } from './files-in-use.js';
import { isOwner } from './written-row.js';
import type { RecordLedger } from './record-ledger.js';
import type { WrittenRow } from './written-row.js';
import type { RecordRow } from './record-rows.js';

type Policy = Exclude<OwnerRemovalPolicy, 'keep'>;

interface Removed {
  readonly record: RecordRow;
  readonly owner: OwnerReference;
  readonly policy: Policy;
  /** What the transaction made of it owns what it was given since, and not what an earlier owner of its id has left. */
  readonly ownsGivenOnly: boolean;
  readonly fileIds: readonly string[];
}

/** Does what `onDelete` says with the files that removed rows owned, and that no other row has taken over. */
export async function dealWithRemoved(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  if (ledger.isUnsure) await ledger.read(manager);
  const again = new Set(ledger.current.map(({ entity, ownerId }) => keyOf(entity.ownerType, ownerId)));
  const removed = [...ledger.rows].flatMap((row) => removedRow(row, again));
  if (removed.length === 0) return;
  const held = await heldFiles(
    manager,
    removed.map(({ owner }) => ({ owner })),
  );
  if (held.length === 0) return;
  // First the lock: whoever comes to name one of the files has it, too.
  const locked = await runtime.statements.lock(manager, held);
  const used = await filesInUse(
    transaction,
    ledger,
    removed.map(({ record, owner }) => ({ ...record, ownerId: owner.id })),
  );
  const dropped: FilesToLetGo & { restrict: FileSnapshot[] } = { restrict: [], release: [], delete: [] };
  const holders = new Map<string, Removed>();
  for (const one of removed) {
    for (const key of keysOf(one)) if (!holders.has(key)) holders.set(key, one);
  }
  for (const file of locked) {
    const { type, id } = stateOf(file);
    const one = holders.get(keyOf(type, id)) ?? holders.get(keyOf(type, id, file.id));
    if (!one || used.isUsed(one.owner, file.id)) continue;
    // In doubt a file stays.
    if (one.ownsGivenOnly && !isOwner(one.owner, ledger.ownerGiven(file.id))) continue;
    const isThereAgain = again.has(keyOf(one.owner.type, one.owner.id));
    if (isThereAgain && ledger.wasGiven(file.id, one.owner)) continue;
    dropped[one.policy].push(file);
  }
  const [kept] = dropped.restrict;
  if (kept) {
    const { type, id } = stateOf(kept);
    const count = dropped.restrict.filter((file) => isOwner({ type, id }, stateOf(file))).length;
    throw new OwnerHasFilesError(type, id, count);
  }
  await runtime.inUnit(transaction, (unit) => applyPolicies(runtime, unit, dropped));
}

/** The row as it was before the transaction, and as it was when it was removed. What it had let go of by then has gone by `onReplace`. */
function removedRow({ isRemoved, before, removedAs }: WrittenRow, again: ReadonlySet<string>): Removed[] {
  if (!isRemoved) return [];
  const fileIds = [...((removedAs ?? before)?.values.values() ?? [])].flatMap(({ ids }) => ids);
  return [...removedState(before, false, fileIds, again), ...removedState(removedAs, true, fileIds, again)];
}

/** Files that stay with an owner whose id is used again would be another's. */
function removedState(
  record: RecordRow | null | undefined,
  ownsGivenOnly: boolean,
  fileIds: readonly string[],
  again: ReadonlySet<string>,
): Removed[] {
  if (!record || record.ownerId === undefined) return [];
  const { ownerType: type, onDelete } = record.entity;
  const policy = onDelete === 'keep' && again.has(keyOf(type, record.ownerId)) ? 'release' : onDelete;
  if (policy === 'keep') return [];
  return [{ record, owner: { type, id: record.ownerId }, policy, ownsGivenOnly, fileIds }];
}

/** If several rows are one owner, a row had only the files that it named. Otherwise it had all of the owner's files. */
function keysOf({ owner: { type, id }, record: { entity }, fileIds }: Removed): string[] {
  return entity.isOneRow ? [keyOf(type, id)] : fileIds.map((fileId) => keyOf(type, id, fileId));
}

function stateOf({ ownerType, ownerId }: FileSnapshot): OwnerReference {
  return { type: ownerType ?? '', id: ownerId ?? '' };
}

function keyOf(type: string, id: string, fileId?: string): string {
  return JSON.stringify([type, id, fileId]);
}
