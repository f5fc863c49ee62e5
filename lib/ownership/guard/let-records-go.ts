import type { EntityManager, ObjectLiteral } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { OwnerHasFilesError } from '../../errors/ownership.errors.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { applyPolicies } from '../let-go.js';
import type { FilesToLetGo } from '../let-go.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import type { OwnerRemovalPolicy } from '../owns-files.decorator.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import { guardedOwners, isSharedOwner } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import type { ReplacePolicy } from './file-field.decorator.js';
import { isOwner } from './written-row.js';
import type { CurrentRow, WrittenRow } from './written-row.js';
import type { RecordLedger } from './record-ledger.js';
import { latestRowsOfOwners } from './record-rows.js';
import type { RecordRow } from './record-rows.js';

interface LetGo {
  readonly row: CurrentRow;
  /** Whose file it may be. */
  readonly owners: readonly OwnerReference[];
  readonly onReplace: Exclude<ReplacePolicy, 'keep'>;
}

/**
 * Applies `onReplace` to the files that rows have let go of: a row named them before or between the writes of this transaction, and no row
 * of the same owner names them now. Of a removed row these are the files that it had let go of before it was removed; `dealWithRemoved()`
 * sees to those that it still named. But not those that are `claimed` for another owner. Called before transfers, so that what goes makes
 * room in a quota, and once more before the COMMIT.
 */
export async function letRecordsGo(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
  claimed: readonly string[] = [],
): Promise<void> {
  const { manager } = transaction;
  if (ledger.isUnsure) await ledger.read(manager);
  const letGo = lettingGo(ledger);
  for (const id of claimed) letGo.delete(id);
  if (letGo.size === 0) return;
  // First the lock: whoever comes to name one of the files has it, too.
  const locked = await runtime.statements.lock(manager, [...letGo.keys()]);
  const used = await filesInUse(transaction, ledger, rowsOf(letGo));
  const dropped: FilesToLetGo = { release: [], delete: [] };
  for (const file of locked) {
    const owner = { type: file.ownerType ?? '', id: file.ownerId ?? '' };
    // Several rows may have had it, one after the other.
    const one = letGo.get(file.id)?.find(({ owners }) => owners.some((other) => isOwner(other, owner)));
    if (!one || used.isUsed(owner, file.id)) continue;
    const { isRemoved, before } = one.row.row;
    // A row that this transaction inserted and removed owned only the files that it was given here; others with its owner id were left by
    // an earlier owner of the same id.
    if (isRemoved && before === null && !isOwner(owner, ledger.ownerGiven(file.id))) continue;
    dropped[one.onReplace].push(file);
  }
  await runtime.inUnit(transaction, (unit) => applyPolicies(runtime, unit, dropped));
}

/** The ids of the files that the rows have let go of so far, for whoever locks files before. */
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
 * The owners that a file of the row may belong to: its owner now and, where one owner can have several rows, the former ones. When such a
 * row moves to another owner, only the files that it still names go with it.
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
    if (isThereAgain && ledger.files.wasGiven(file.id, one.owner)) continue;
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

/** Which files the rows of some owners name. */
interface FilesInUse {
  isUsed(owner: OwnerReference, fileId: string): boolean;
}

/**
 * What other rows of the same owners name: a child whose parent is the owner has siblings, and several classes may own as one type. No
 * statement where a row is all that its owner has.
 */
async function filesInUse(
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
