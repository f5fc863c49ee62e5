import { isSameOwner } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { OwnerHasFilesError } from '../../errors/ownership.errors.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { applyPolicies, noFilesToLetGo } from '../let-go.js';
import type { OwnerRemovalPolicy } from '../owns-files.decorator.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { filesInUse } from './files-in-use.js';
import type { RecordLedger } from './record-ledger.js';
import type { RecordRow } from './record-rows.js';
import type { WrittenRow } from './written-row.js';

type Policy = Exclude<OwnerRemovalPolicy, 'keep'>;

interface Removed {
  readonly record: RecordRow;
  readonly owner: OwnerReference;
  readonly policy: Policy;
  /**
   * A row that this transaction made owns only the files that it was given since; others with its id belonged to an
   * earlier owner.
   */
  readonly ownsGivenOnly: boolean;
  readonly fileIds: readonly string[];
}

/** Applies `onDelete` to the files that removed rows owned and no other row has taken over. */
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
  const owners = removed.map(({ owner }) => ({ owner }));
  const held = await heldFiles(runtime, manager, owners);
  if (held.length === 0) return;
  // The lock comes first: whoever comes to name one of the files needs it, too.
  const locked = await runtime.statements.lock(manager, held);
  const rows = removed.map(({ record, owner }) => ({ ...record, ownerId: owner.id }));
  const used = await filesInUse(transaction, ledger, rows);
  const { restrict, ...letGo } = byPolicy(
    locked,
    removed,
    (file, former) => !used.isUsed(former.owner, file.id) && goesWith(former, file.id, ledger, again),
  );
  refuse(restrict);
  await runtime.inUnit(transaction, (unit) => applyPolicies(runtime, unit, letGo));
}

/** The files that go with their removed owner, by the `onDelete` of its class. */
function byPolicy(
  files: readonly FileSnapshot[],
  removed: readonly Removed[],
  goes: (file: FileSnapshot, former: Removed) => boolean,
): Record<Policy, FileSnapshot[]> {
  const formers = new Map<string, Removed>();
  for (const one of removed) {
    for (const key of keysOf(one)) if (!formers.has(key)) formers.set(key, one);
  }
  const found: Record<Policy, FileSnapshot[]> = { restrict: [], ...noFilesToLetGo() };
  for (const file of files) {
    const { type, id } = stateOf(file);
    const former = formers.get(keyOf(type, id)) ?? formers.get(keyOf(type, id, file.id));
    if (former && goes(file, former)) found[former.policy].push(file);
  }
  return found;
}

/**
 * Whether the file was the removed row's own, and was not given to a new row with the same owner id. In doubt it stays.
 */
function goesWith(
  { owner, ownsGivenOnly }: Removed,
  fileId: string,
  ledger: RecordLedger,
  again: ReadonlySet<string>,
): boolean {
  if (ownsGivenOnly && !isSameOwner(owner, ledger.ownerGiven(fileId))) return false;
  const isThereAgain = again.has(keyOf(owner.type, owner.id));
  return !isThereAgain || !ledger.files.wasGiven(fileId, owner);
}

/** Throws `OwnerHasFilesError` for the owner of the first file, with the number of its files. */
function refuse(restricted: readonly FileSnapshot[]): void {
  const [first] = restricted;
  if (!first) return;
  const owner = stateOf(first);
  const count = restricted.filter((file) => isSameOwner(owner, stateOf(file))).length;
  throw new OwnerHasFilesError(owner.type, owner.id, count);
}

/**
 * The row as it was before the transaction, and as it was when it was removed. Files that it let go of before are the
 * concern of `onReplace`.
 */
function removedRow({ isRemoved, before, removedAs }: WrittenRow, again: ReadonlySet<string>): Removed[] {
  if (!isRemoved) return [];
  const fileIds = [...((removedAs ?? before)?.values.values() ?? [])].flatMap(({ ids }) => ids);
  return [...removedState(before, false, fileIds, again), ...removedState(removedAs, true, fileIds, again)];
}

/** With `keep`, files are released where another row has the owner's id by now: otherwise they would be that row's. */
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
