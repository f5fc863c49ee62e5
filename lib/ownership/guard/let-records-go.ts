import type { EntityManager, ObjectLiteral } from 'typeorm';
import { isSameOwner } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { applyUncharged, noFilesToLetGo } from '../let-go.js';
import type { UsageChange } from '../quotas/quotas.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { filesInUse } from './files-in-use.js';
import type { GuardedEntity } from './guarded-entities.js';
import type { ReplacePolicy } from './file-field.decorator.js';
import type { CurrentRow } from './written-row.js';
import type { RecordLedger } from './record-ledger.js';

interface LetGo {
  readonly row: CurrentRow;
  /** The owners that the file may have. */
  readonly owners: readonly OwnerReference[];
  readonly onReplace: Exclude<ReplacePolicy, 'keep'>;
}

/**
 * Applies `onReplace` to the files that rows have let go of: a row named them before or between the writes of this
 * transaction, and no row of the same owner names them now. Of a removed row these are the files that it had let go of
 * before it was removed; `dealWithRemoved()` deals with those that it still named. Files that are `claimed` for another
 * owner are left out. Called before transfers and uploads are charged, so that deletions make room in a quota, and once
 * more before the COMMIT. Returns what the quotas have to be charged with.
 */
export async function letRecordsGo(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
  claimed: readonly string[] = [],
): Promise<UsageChange[]> {
  const { manager } = transaction;
  if (ledger.isUnsure) await ledger.read(manager);
  const letGo = lettingGo(ledger);
  for (const id of claimed) letGo.delete(id);
  if (letGo.size === 0) return [];
  // The lock comes first: whoever comes to name one of the files needs it, too.
  const locked = await runtime.statements.lock(manager, [...letGo.keys()]);
  const used = await filesInUse(transaction, ledger, rowsOf(letGo));
  const dropped = noFilesToLetGo();
  for (const file of locked) {
    const owner = { type: file.ownerType ?? '', id: file.ownerId ?? '' };
    // Several rows may have owned it, one after the other.
    const one = letGo.get(file.id)?.find(({ owners }) => owners.some((other) => isSameOwner(other, owner)));
    if (!one || used.isUsed(owner, file.id) || isOfEarlier(one.row, owner, ledger.ownerGiven(file.id))) continue;
    dropped[one.onReplace].push(file);
  }
  return runtime.inUnit(transaction, (unit) => applyUncharged(runtime, unit, dropped));
}

/**
 * Whether an earlier owner of the same id has left the file: a row that this transaction inserted and removed owned
 * only the files that it was given here.
 */
function isOfEarlier(
  { row }: CurrentRow,
  owner: OwnerReference,
  given: ReturnType<RecordLedger['ownerGiven']>,
): boolean {
  return row.isRemoved && row.before === null && !isSameOwner(owner, given);
}

/** The ids of the files that the rows have let go of so far, so that they can be locked together with others. */
export async function filesLetGo(ledger: RecordLedger, manager: EntityManager): Promise<string[]> {
  if (ledger.isUnsure) await ledger.read(manager);
  return [...lettingGo(ledger).keys()];
}

function lettingGo(ledger: RecordLedger): Map<string, LetGo[]> {
  const letGo = new Map<string, LetGo[]>();
  for (const row of [...ledger.current, ...ledger.removedRows]) {
    if (!row.entity.letsGo) continue;
    const owners = ownersOf(row);
    for (const [id, onReplace] of letGoBy(row)) letGo.set(id, [...(letGo.get(id) ?? []), { row, owners, onReplace }]);
  }
  return letGo;
}

function letGoBy({ entity, row: { before, formerly }, values }: CurrentRow): Map<string, LetGo['onReplace']> {
  const letGo = new Map<string, LetGo['onReplace']>();
  const now = new Set(entity.fields.flatMap((field) => (values.get(field) ?? before?.values.get(field))?.ids ?? []));
  const between = [...formerly].map(([field, ids]) => [field, { ids }] as const);
  for (const [{ onReplace }, { ids }] of [...(before?.values ?? []), ...between]) {
    if (onReplace === 'keep') continue;
    for (const id of ids) if (!now.has(id)) letGo.set(id, onReplace);
  }
  return letGo;
}

/**
 * The owners that a file of the row may belong to: its owner now and, where one owner can have several rows, the former
 * ones. When such a row moves to another owner, only the files that it still names go with it.
 */
function ownersOf({ entity, owner, row: { before, insertedAs, followedTo } }: CurrentRow): OwnerReference[] {
  const former = entity.isOneRow ? [] : [before?.ownerId, insertedAs, followedTo];
  const ids = new Set([owner.id, ...former.filter((id) => id !== undefined)]);
  return [...ids].map((id) => ({ type: owner.type, id }));
}

function rowsOf(
  letGo: ReadonlyMap<string, readonly LetGo[]>,
): { entity: GuardedEntity; key: ObjectLiteral; ownerId: string }[] {
  const owners = new Map([...letGo.values()].flat().map(({ row, owners }) => [row, owners] as const));
  return [...owners].flatMap(([{ entity, key }, some]) => some.map(({ id }) => ({ entity, key, ownerId: id })));
}
