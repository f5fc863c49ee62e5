import type { EntityManager } from 'typeorm';
import { isSameOwner } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { giveFiles } from '../give-files.js';
import type { Gift } from '../give-files.js';
import { releaseFiles } from '../let-go.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { groupByEntity, hasOtherId, keyOf as rowKeyOf } from './written-row.js';
import type { CurrentRow, WrittenRow } from './written-row.js';
import { transactionOf } from './record-ledger.js';
import type { RecordLedger } from './record-ledger.js';
import { latestRowsOfOwners, rowsByKey } from './record-rows.js';
import type { RecordRow } from './record-rows.js';
import { guardedOwners } from './guarded-entities.js';

/**
 * Lets files follow their records: to the new id of an owner whose id has changed, and from a removed row to the row
 * that replaces it. An owner that got its id from the application does not inherit what an earlier owner of that id has
 * left. Called before transfers, and once more before the COMMIT.
 */
export async function followRecords(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<void> {
  if (ledger.isUnsure) await ledger.read(manager);
  const { current } = ledger;
  const changed = current.flatMap((row) => changedId(row) ?? []);
  if (changed.length > 0) await followIds(runtime, ledger, manager, changed);
  const removed = [...ledger.rows].filter(({ isRemoved, before }) => isRemoved && before);
  if (removed.length > 0) await adopt(runtime, ledger, manager, removed);
  const chosen = rowsOfNewId(current, removed);
  if (chosen.length > 0) await disinherit(runtime, ledger, manager, chosen);
}

async function followIds(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
  changed: readonly ChangedId[],
): Promise<void> {
  const held = await heldFiles(
    runtime,
    manager,
    changed.map(({ from }) => ({ owner: from })),
  );
  for (const { row, to } of changed) ledger.note(row.row, { followedTo: to.id });
  const locked = held.length === 0 ? [] : await runtime.statements.lock(manager, held);
  const following = new Map<string, ChangedId>();
  for (const one of changed) {
    for (const key of keysOf(one)) if (!following.has(key)) following.set(key, one);
  }
  const gifts = locked.flatMap((file) => {
    const one = following.get(keyOf(ownerOf(file))) ?? following.get(keyOf(ownerOf(file), file.id));
    return one ? [{ file, to: one.to, field: file.ownerField }] : [];
  });
  await giveFiles(runtime, manager, gifts);
}

interface ChangedId {
  readonly row: CurrentRow;
  readonly from: OwnerReference;
  readonly to: OwnerReference;
}

function changedId(row: CurrentRow): ChangedId | undefined {
  const { before, insertedAs, followedTo } = row.row;
  const known = followedTo ?? (before === null ? insertedAs : before?.ownerId);
  if (known === undefined || known === row.ownerId) return undefined;
  return { row, from: { type: row.entity.ownerType, id: known }, to: row.owner };
}

/** All files of an owner follow its id. If an owner has several rows, only the files that this row names follow. */
function keysOf({ from, row: { entity, row, values } }: ChangedId): string[] {
  if (entity.isOneRow) return [keyOf(from)];
  const named = entity.fields.flatMap((field) => (values.get(field) ?? row.before?.values.get(field))?.ids ?? []);
  return named.map((id) => keyOf(from, id));
}

/**
 * Gives the files of removed rows to rows that name them now, if a manager does that, or if both rows have the same
 * parents.
 */
async function adopt(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
  removed: readonly WrittenRow[],
): Promise<void> {
  const formers = rowsByOwner(removed);
  if (ledger.isUnsure) await ledger.read(manager);
  const { naming } = ledger;
  const named = [...naming.keys()].filter((id) => !ledger.ownerGiven(id));
  if (named.length === 0) return;
  const locked = await runtime.statements.lock(manager, named);
  const inheritances = locked.flatMap((file) => {
    const former = formers.get(keyOf(ownerOf(file)));
    const heirs = (naming.get(file.id) ?? []).filter(({ entity }) => entity.ownerType === file.ownerType);
    return former ? heirs.map((heir): Inheritance => ({ file, former, heir })) : [];
  });
  const gifts: Gift[] = [];
  const adopted = new Set<string>();
  for (const { file, heir } of await permitted(runtime, manager, inheritances)) {
    if (adopted.has(file.id)) continue;
    adopted.add(file.id);
    if (isSameOwner(heir.owner, ownerOf(file))) ledger.files.given(file.id, heir.owner);
    else gifts.push({ file, to: heir.owner, field: file.ownerField });
  }
  await giveFiles(runtime, manager, gifts);
}

/** A row that names a file of a removed row. */
interface Inheritance {
  readonly file: FileSnapshot;
  readonly former: WrittenRow;
  readonly heir: CurrentRow;
}

/** The first row of each owner, as it was before the transaction. */
function rowsByOwner(rows: readonly WrittenRow[]): Map<string, WrittenRow> {
  const found = new Map<string, WrittenRow>();
  for (const row of rows) {
    const key = keyOf({ type: row.before?.entity.ownerType ?? null, id: row.before?.ownerId ?? null });
    if (!found.has(key)) found.set(key, row);
  }
  return found;
}

/** All of them for a manager; for others, those where both rows are of one table and have the same parents. */
async function permitted(
  runtime: TransferRuntime,
  manager: EntityManager,
  inheritances: readonly Inheritance[],
): Promise<readonly Inheritance[]> {
  if (inheritances.length === 0 || (await runtime.actor()).isManager) return inheritances;
  const related = inheritances.filter(({ former: { before }, heir: { entity } }) => {
    return before && entity.metadata.tablePath === before.entity.metadata.tablePath;
  });
  const heirs = await readAll(
    manager,
    related.map(({ heir }) => heir),
  );
  return related.filter(({ former: { before }, heir }) => {
    const parents = [...(before?.parents ?? [])];
    const now = heirs.get(heir)?.parents;
    return (
      now !== undefined &&
      parents.some(([, value]) => value !== null && value !== undefined) &&
      parents.every(([column, value]) => String(now.get(column)) === String(value))
    );
  });
}

/**
 * The rows as the database has them: one statement for all of a class, and one for each whose key was written in
 * another form than the database's.
 */
async function readAll(manager: EntityManager, rows: readonly CurrentRow[]): Promise<Map<CurrentRow, RecordRow>> {
  const read = new Map<CurrentRow, RecordRow>();
  for (const [entity, own] of groupByEntity(new Set(rows))) {
    const found = await rowsByKey(
      manager,
      entity,
      own.map(({ key }) => key),
    );
    const byKey = new Map(found.map((record) => [rowKeyOf(entity, record.key), record]));
    for (const row of own) {
      const record = byKey.get(rowKeyOf(entity, row.key)) ?? (await rowsByKey(manager, entity, [row.key]))[0];
      if (record) read.set(row, record);
    }
  }
  return read;
}

/**
 * The rows that got their owner id from the application, by an insertion or an update, unless a row that had it is
 * removed here: its own policy counts.
 */
function rowsOfNewId(current: readonly CurrentRow[], removed: readonly WrittenRow[]): CurrentRow[] {
  const freed = new Set(removed.map(({ before }) => JSON.stringify([before?.entity.ownerType, before?.ownerId])));
  return current.filter(({ row, entity, ownerId }) => {
    const { before, choseId, disinheritedAs } = row;
    const isOther = before === null ? hasOtherId(row) : before && before.ownerId !== ownerId;
    const isNew = (before === null && choseId) || (isOther && entity.isOneRow);
    return isNew && disinheritedAs !== ownerId && !freed.has(JSON.stringify([entity.ownerType, ownerId]));
  });
}

/** Files that an earlier owner of a chosen id has left lose their owner. */
async function disinherit(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
  chosen: readonly CurrentRow[],
): Promise<void> {
  for (const { row, ownerId } of chosen) ledger.note(row, { disinheritedAs: ownerId });
  const owners = chosen.map(({ owner }) => owner);
  const held = await heldFiles(
    runtime,
    manager,
    owners.map((owner) => ({ owner })),
  );
  if (held.length === 0) return;
  const locked = await runtime.statements.lock(manager, held);
  const byKey = new Map(owners.map((owner) => [keyOf(owner), owner]));
  const named = await namedByOthers(manager, ledger, chosen);
  const inherited = locked.filter((file) => {
    const owner = byKey.get(keyOf(ownerOf(file)));
    return owner !== undefined && !ledger.files.wasGiven(file.id, owner) && !named.has(keyOf(owner, file.id));
  });
  for (const file of inherited) ledger.files.disinherited(file.id, file);
  await runtime.quotas.charge(manager, await releaseFiles(runtime, manager, inherited));
}

/**
 * The files that rows of other classes with the same owners have named since before the transaction: an id that one of
 * them has does not belong to an earlier owner.
 */
async function namedByOthers(
  manager: EntityManager,
  ledger: RecordLedger,
  chosen: readonly CurrentRow[],
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for (const type of new Set(chosen.map(({ owner }) => owner.type))) {
    const own = chosen.filter(({ owner }) => owner.type === type);
    const tables = new Set(own.map(({ entity }) => entity.metadata.tablePath));
    const others = guardedOwners(dataSourceOf(manager), type).filter(({ metadata }) => !tables.has(metadata.tablePath));
    const ids = own.map(({ ownerId }) => ownerId);
    for (const entity of others) {
      for (const record of await latestRowsOfOwners(transactionOf(manager), entity, ids)) {
        const written = ledger.find(record);
        const values = written ? written.before?.values : record.values;
        const files = [...(values?.values() ?? [])].flatMap((value) => value.ids);
        for (const fileId of files) named.add(keyOf({ type, id: record.ownerId ?? null }, fileId));
      }
    }
  }
  return named;
}

function keyOf({ type, id }: { type: string | null; id: string | null }, fileId?: string): string {
  return JSON.stringify([type, id, fileId]);
}

function ownerOf({ ownerType, ownerId }: Pick<FileSnapshot, 'ownerType' | 'ownerId'>): {
  type: string | null;
  id: string | null;
} {
  return { type: ownerType, id: ownerId };
}
