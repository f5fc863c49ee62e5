import type { EntityManager } from 'typeorm';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { problemText, UNAVAILABLE } from '../../errors/file-problem.js';
import { FilesNotOwnError, FilesInUseError } from '../../errors/ownership.errors.js';
import { ValidationFailedError } from '../../errors/files.errors.js';
import type { FilesError } from '../../errors/files-error.js';
import { queueOf } from '../../task-queue/unit-queue.js';
import { isSameOwner } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { ObjectIndex } from '../object-index.js';
import { followRecords } from './follow-records.js';
import { letRecordsGo } from './let-records-go.js';
import { dealWithRemoved } from './removed-records.js';
import type { RecordLedger } from './record-ledger.js';
import { textOfJunk, guardedOwners } from './guarded-entities.js';
import type { GuardedField } from './guarded-entities.js';
import type { CurrentRow } from './written-row.js';
import { latestRowsOfOwners } from './record-rows.js';

/**
 * Settles the changes of a transaction to records. Files follow their records; the policies are applied to the files
 * that records no longer name and to those of removed records. Then it throws unless every written row names only its
 * own files and no file was taken from a row that names it.
 */
export async function settleRecords(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  // A unit of work fails if it ends before its writes do; an application's transaction does not.
  if (ledger.isWriting && !transaction.unit) await ledger.written();
  // Reading may show that the state of a row is unknown; it notes that as a refusal, which the next line throws.
  if (ledger.isUnsure) await ledger.read(manager);
  ledger.assertNotRefused();
  if (!ledger.onlyGivesValues) {
    await followRecords(runtime, ledger, manager);
    await runtime.quotas.charge(manager, await letRecordsGo(runtime, ledger, transaction));
    await dealWithRemoved(runtime, ledger, transaction);
  }
  if (ledger.isUnsure) await ledger.read(manager);
  const open = namedAndNotGiven(runtime, ledger, transaction);
  if (open.size > 0) await assertNamedAreOwn(runtime, ledger, transaction, open);
  if (ledger.files.allTaken.size > 0) await assertNotInUse(runtime, ledger, transaction);
}

/**
 * The files that written rows name and that the transaction has not transferred to them itself. Throws
 * `FilesNotOwnError` if a row names a value that cannot be its own file.
 */
function namedAndNotGiven(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): ReadonlySet<string> {
  for (const { entity, written } of ledger.ownerless()) {
    for (const [field, { ids, junk }] of written) {
      const named = [...ids, ...junk.map(textOfJunk)];
      if (named.length > 0)
        throw refusal(runtime, transaction, { entity, ownerId: '(without an owner id)' }, field, named);
    }
  }
  const open = new Set<string>();
  for (const row of ledger.current) {
    for (const [field, { ids, junk }] of row.values) {
      if (junk.length > 0) throw refusal(runtime, transaction, row, field, junk.map(textOfJunk));
      for (const id of ids) if (!isSameOwner(row.owner, ledger.ownerGiven(id))) open.add(id);
    }
  }
  return open;
}

/**
 * Throws `FilesNotOwnError` where a written row names one of the files that is not its own, or is not there. They are
 * locked, so that nobody takes them before the commit.
 */
async function assertNamedAreOwn(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
  open: ReadonlySet<string>,
): Promise<void> {
  const rows = ledger.current;
  const locked = await runtime.statements.lock(transaction.manager, [...open]);
  const owners = new Map(locked.map(({ id, ownerType, ownerId }) => [id, { type: ownerType, id: ownerId }]));
  for (const row of rows) {
    const owner = row.owner;
    for (const [field, { ids }] of row.values) {
      const foreign = ids.filter((id) => open.has(id) && !isSameOwner(owner, owners.get(id)));
      if (foreign.length > 0) throw refusal(runtime, transaction, row, field, foreign);
    }
  }
}

/**
 * The error for a refused row. If the client sent the id, it is an error of validation, which does not reveal whether
 * the file exists. Otherwise it is `FilesNotOwnError`.
 */
function refusal(
  runtime: TransferRuntime,
  { unit }: OpenTransaction,
  { entity, ownerId }: Pick<CurrentRow, 'entity' | 'ownerId'>,
  field: GuardedField,
  values: readonly string[],
): FilesError {
  const error = new FilesNotOwnError(entity.metadata.name, ownerId, field.name, values);
  const sent = new ObjectIndex(queueOf(unit)?.args ?? []);
  const places = values.flatMap((value) => sent.pathsTo(value));
  if (places.length === 0) return error;
  const text = problemText(UNAVAILABLE, runtime.validation.messages);
  const fields = [...new Set(places.map((place) => place.join('.')))];
  const problems = fields.map((name) => ({ field: name, code: UNAVAILABLE.code, message: `${name}: ${text}` }));
  return new ValidationFailedError(
    problems.map(({ message }) => message),
    { cause: error, problems },
  );
}

/** Throws `FilesInUseError` if a file was deleted or transferred, and a row of its previous owner still names it. */
async function assertNotInUse(
  runtime: TransferRuntime,
  ledger: RecordLedger,
  transaction: OpenTransaction,
): Promise<void> {
  const { manager } = transaction;
  const byType = new Map<string, Map<string, string[]>>();
  for (const [fileId, owners] of await takenFrom(runtime, ledger, manager)) {
    for (const { type, id } of owners) {
      const files = byType.get(type) ?? new Map<string, string[]>();
      byType.set(type, files.set(fileId, [...(files.get(fileId) ?? []), id]));
    }
  }
  for (const [type, files] of byType) {
    const ids = [...new Set([...files.values()].flat())];
    for (const entity of guardedOwners(dataSourceOf(manager), type)) {
      for (const { ownerId, values } of await latestRowsOfOwners(transaction, entity, ids)) {
        for (const [field, named] of values) {
          const used = named.ids.find((id) => files.get(id)?.includes(ownerId as string));
          if (used !== undefined)
            throw new FilesInUseError([used], { ownerType: type, ownerId: ownerId as string, field: field.name });
        }
      }
    }
  }
}

/** The files that were taken and not given back. The transfers that took them may have been undone. */
async function takenFrom(
  { statements }: TransferRuntime,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<ReadonlyMap<string, readonly OwnerReference[]>> {
  const { allTaken } = ledger.files;
  let ownerOf = (id: string): Parameters<typeof isSameOwner>[1] => ledger.ownerGiven(id);
  if (ledger.isUndone) {
    const files = await statements.look(manager, [...allTaken.keys()]);
    const owners = new Map(files.map(({ id, ownerType, ownerId }) => [id, { type: ownerType, id: ownerId }]));
    ownerOf = (id) => owners.get(id);
  }
  return new Map([...allTaken].map(([id, owners]) => [id, owners.filter((one) => !isSameOwner(one, ownerOf(id)))]));
}
