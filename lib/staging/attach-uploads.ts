import { FilesNotNamedError, OwnerConflictError } from '../errors/ownership.errors.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { newFile } from '../files/new-file.js';
import { assertOwnerReference, ownerOf } from '../files/owner-reference.js';
import { assertReadable, unscannedBy } from '../files/scan/scan-state.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { ChangeRights } from '../ownership/guard/change-rights.js';
import { followRecords } from '../ownership/guard/follow-records.js';
import { noteCreated } from '../ownership/guard/record-guard.js';
import { findLedger } from '../ownership/guard/record-ledger.js';
import { RowOwners } from '../ownership/guard/row-owners.js';
import { assertOwnersExist } from '../ownership/owner-existence.js';
import { OwnershipTransferTask } from '../ownership/ownership-transfer.task.js';
import type { UsageChange } from '../ownership/quotas/quotas.js';
import { letGoBefore, outcomeOf } from '../ownership/transfer-batch.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { Attachment, AttachmentTarget, PlacedFile } from './attachment.js';
import { planWrites } from './field-writes.js';
import type { FieldWrite } from './field-writes.js';
import { writeFields } from './write-fields.js';
import type { StagedFile } from './staged-file.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';

/** A queued upload, as the batch sees it. */
export interface QueuedUpload {
  readonly ownerType: string;
  readonly staged: StagedFile;
  readonly target: AttachmentTarget;
}

const ROWS_PER_STATEMENT = 1000;

/** Creates the file of each upload for its owner, or throws. The bytes are stored already. Resolves with the files. */
export async function attachUploads(uploads: readonly QueuedUpload[], queue: UnitQueue): Promise<ManagedFile[]> {
  const { unit } = queue;
  const outcome = outcomeOf(queue);
  const wanted = uploads.map(({ staged, ownerType }) => ({ fileId: staged.id, ownerType, seenId: null }));
  const rows = await RowOwners.written(unit.manager, wanted);
  const placed = uploads.map(({ staged, target }): PlacedFile => ({ staged, ...target.resolve(outcome, rows) }));
  const unsaved = unsavedOf(placed, rows);
  await ChangeRights.find(unit)?.assert(placed);
  // A nested unit of work may have validated the same DTO, and attached its files.
  const fresh = placed.filter(({ staged }) => staged.fileIn(unit) === undefined);
  const files = new Map<StagedFile, ManagedFile>();
  const { storages } = TransferRuntime.of(unit.dataSource).content;
  for (const one of placed)
    files.set(one.staged, fileOf(one, files.get(one.staged) ?? one.staged.fileIn(unit), storages));
  // Before the former files are let go: files that the result still names would stay.
  const writes = await planWrites(unit.dataSource, unsaved, outcome);
  assertNamed(placed, rows, writes);
  // As with transfers: a concurrent removal of the record deals with its files, and waits for this transaction.
  const unseen = unwritten(placed, writes).filter((owner) => !rows.isWritten(owner));
  await assertOwnersExist(unit.manager, unseen, TransferRuntime.of(unit.dataSource).ownerEntities);
  if (!TransferRuntime.of(unit.dataSource).attachPending)
    for (const { staged } of fresh) assertReadable(files.get(staged) as ManagedFile);
  const created = new Map(fresh.map(({ staged }) => [staged, files.get(staged) as ManagedFile]));
  await insertCharged(created, placed, writes, queue);
  const { hooks } = TransferRuntime.of(unit.dataSource);
  for (const { staged } of fresh) await hooks?.run(files.get(staged) as ManagedFile, 'attach');
  return placed.map(({ staged }) => files.get(staged) as ManagedFile);
}

/** The files that their owner's rows do not name in the field yet. The library still has to write these. */
function unsavedOf(placed: readonly PlacedFile[], rows: RowOwners): PlacedFile[] {
  const fields = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();
  return placed.filter(({ staged, owner, field, attachAs, list }) => {
    if (field === undefined || attachAs !== 'id') return true;
    const key = JSON.stringify([owner.type, field]);
    const byOwner = fields.get(key) ?? rows.namedIn(field, owner.type);
    fields.set(key, byOwner);
    const named = byOwner.get(owner.id);
    return !(list ?? [staged]).every((file) => named?.has(typeof file === 'string' ? file : file.id));
  });
}

/** The record must name an uploaded file: in the row that the handler saved, or in the field that is written now. */
function assertNamed(placed: readonly PlacedFile[], rows: RowOwners, writes: readonly FieldWrite[]): void {
  const written = new Set(
    writes.flatMap(({ target, ownerId, files }) => files.map((id) => keyOf(target.ownerType, ownerId, id))),
  );
  for (const { staged, owner, place, isChosen } of placed) {
    const isNamed = rows.of(staged.id, owner.type).length > 0 || written.has(keyOf(owner.type, owner.id, staged.id));
    if (rows.isGuarded(owner.type) && !isNamed && !isChosen) throw new FilesNotNamedError(place, staged.id, owner.type);
  }
}

function keyOf(ownerType: string, ownerId: string, fileId: string): string {
  return JSON.stringify([ownerType, ownerId, fileId]);
}

/**
 * The owners whose fields the library does not write. The others get no shared lock first: if two transactions took it
 * and then wrote the row, each would wait for the other.
 */
function unwritten(placed: readonly PlacedFile[], writes: readonly FieldWrite[]): OwnerReference[] {
  const written = new Set(writes.map(({ target, ownerId }) => JSON.stringify([target.ownerType, ownerId])));
  return placed.map(({ owner }) => owner).filter(({ type, id }) => !written.has(JSON.stringify([type, id])));
}

/** The file that is noted already, or a new one. One file has one owner. */
function fileOf(
  { staged, owner, field }: PlacedFile,
  noted: ManagedFile | undefined,
  storages: StorageRegistry,
): ManagedFile {
  assertOwnerReference(owner);
  if (noted) {
    assertSame(noted, owner);
    return noted;
  }
  const { id, name, content } = staged;
  const { storage, location, contentType, charset, size, hash, hashAlgorithm } = content;
  const safety = unscannedBy(storages.scannerFor(storage, owner.type));
  const stored = { name, storage, location, contentType, charset, size, hash, hashAlgorithm, ...safety };
  return Object.assign(newFile(stored, owner, id), { pinned: true, ownerField: field ?? null });
}

function assertSame({ id, ownerType, ownerId }: ManagedFile, owner: Attachment['owner']): void {
  if (ownerType === owner.type && ownerId === owner.id) return;
  throw new OwnerConflictError(id, [`${ownerType} ${ownerId}`, `${owner.type} ${owner.id}`]);
}

/**
 * Inserts the files, writes the fields of their owners, and charges the quotas. The files that an owner no longer names
 * make room for the new ones: they are let go of first, and charged together with these. An owner without a row of
 * usage is counted when it is charged, so two charges after both changes would count one of them twice.
 */
async function insertCharged(
  created: ReadonlyMap<StagedFile, ManagedFile>,
  placed: readonly PlacedFile[],
  writes: readonly FieldWrite[],
  queue: UnitQueue,
): Promise<void> {
  const { unit } = queue;
  const runtime = TransferRuntime.of(unit.dataSource);
  const changes = [...created.values()].map((file) => ({ owner: ownerOf(file), bytes: file.size, count: 1 }));
  const isCounted = changes.some(({ owner }) => owner && runtime.quotas.isCounted(owner.type));
  // Charges the quotas itself, so it comes before the other changes.
  if (isCounted) await followBefore(runtime, unit);
  await insertRows(unit, created);
  await writeFields(unit, writes);
  if (!isCounted) return;
  await runtime.quotas.charge(unit.manager, [...changes, ...(await letGoOf(placed, queue))]);
}

async function followBefore(runtime: TransferRuntime, { manager }: UnitOfWork): Promise<void> {
  const ledger = findLedger(manager);
  if (ledger && !ledger.onlyGivesValues) await followRecords(runtime, ledger, manager);
}

/** Lets go of the files that records no longer name, except for those of waiting transfers and those that stay. */
async function letGoOf(placed: readonly PlacedFile[], queue: UnitQueue): Promise<UsageChange[]> {
  const ledger = findLedger(queue.unit.manager);
  if (!ledger || ledger.onlyGivesValues) return [];
  const waiting = queue.tasks().filter((task) => task instanceof OwnershipTransferTask);
  const staying = placed.flatMap(({ list }) => list ?? []).filter((file) => typeof file === 'string');
  return letGoBefore(waiting, queue, ledger, staying);
}

/** Writes the rows and their history. From then on the rows refer to the bytes. */
async function insertRows(unit: UnitOfWork, fresh: ReadonlyMap<StagedFile, ManagedFile>): Promise<void> {
  if (fresh.size === 0) return;
  const rows = [...fresh.values()];
  const { manager, dataSource } = unit;
  const runtime = TransferRuntime.of(dataSource);
  for (const [staged, file] of fresh) staged.attachedIn(unit, file);
  await runtime.content.attachAll(
    unit,
    [...fresh.keys()].map(({ content }) => content),
  );
  for (const chunk of inChunks(rows, ROWS_PER_STATEMENT)) {
    // Copies, which TypeORM may change; its type has no place for JSON of any shape.
    const some = chunk.map((file) => ({ ...file }) as object);
    await manager.insert(ManagedFile, some);
  }
  for (const { id, ownerType, ownerId } of rows) {
    noteCreated(runtime, manager, id, { type: ownerType as string, id: ownerId as string });
  }
  const created = rows.map((file) => {
    const to = { type: file.ownerType as string, id: file.ownerId as string };
    return { fileId: file.id, action: 'create' as const, from: null, to, forced: false };
  });
  const { actor } = await runtime.actor();
  await runtime.statements.record(manager, created, actor);
}
