import { type TransferTrace, transferTrace } from '../diagnostics/traces.js';
import { FileChangedError, ValidationFailedError } from '../errors/files.errors.js';
import { OwnerConflictError } from '../errors/ownership.errors.js';
import { replacedIn } from '../files/content/own-replacements.js';
import { fileIdOrFail } from '../files/file-id.js';
import { assertOwnerReference } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { BatchTask, UnitQueue } from '../task-queue/unit-queue.js';
import type { LastStatement } from '../unit-of-work/dialects/dialect.js';
import { ChangeRights } from './guard/change-rights.js';
import { findLedger, transactionOf } from './guard/record-ledger.js';
import type { RecordLedger } from './guard/record-ledger.js';
import { filesLetGo, letRecordsGo } from './guard/let-records-go.js';
import { followRecords } from './guard/follow-records.js';
import { guardedOwners } from './guard/guarded-entities.js';
import { noteMoves } from './guard/record-guard.js';
import { RowOwners } from './guard/row-owners.js';
import { CallOutcome } from './call-outcome.js';
import { assertOwnersExist } from './owner-existence.js';
import { isScanned, moveFiles } from './move-files.js';
import { setPins } from './pins.js';
import { chargeMoves } from './quotas/charge-moves.js';
import type { UsageChange } from './quotas/quotas.js';
import type { Move, TransferOutcome, TransferTerms } from './statements/transfer-statements.js';
import { TransferRuntime } from './transfer-runtime.js';
import type { Refusal, RefusalMessage, TransferTarget } from './transfer-target.js';

/** A queued transfer of one file. */
export interface Transfer extends BatchTask {
  readonly fileId: string;
  readonly target: TransferTarget;
}

interface Request {
  readonly move: Move;
  readonly target: TransferTarget;
}

const GIVEN = Symbol('nestjs-files:given');

/**
 * Locks two groups of files by one statement, in the order of their ids: the files of these transfers, and the files
 * that records no longer name. Called if the queued transfers are not all adjacent, and before `onReplace` is applied
 * to files.
 */
export async function lockTransfers(transfers: readonly Transfer[], queue: UnitQueue): Promise<void> {
  const { unit } = queue;
  const ledger = findLedger(unit.manager);
  const gone = ledger ? await filesLetGo(ledger, unit.manager) : [];
  const ids = new Set([...transfers.map(({ fileId }) => fileIdOrFail(fileId)), ...gone]);
  await TransferRuntime.of(unit.dataSource).statements.lock(unit.manager, [...ids]);
}

type OnEnd = LastStatement['onEnd'];

/**
 * Transfers and pins all of the files, or throws. Resolves with the owner of each file, even if the transfer is held
 * back for the COMMIT.
 */
export function runTransfers(transfers: readonly Transfer[], queue: UnitQueue): Promise<OwnerReference[]> {
  return transferTrace.isWanted ? tracedTransfers(transfers, queue) : transferAll(transfers, queue);
}

/** Runs the transfers in a trace, which ends when they have run. */
function tracedTransfers(transfers: readonly Transfer[], queue: UnitQueue): Promise<OwnerReference[]> {
  return new Promise((resolve, reject) => {
    const transfer = (trace?: TransferTrace): Promise<void> =>
      new Promise((done, failed) => {
        const onEnd: OnEnd = (failure) => (failure ? failed(failure.error as Error) : done());
        transferAll(transfers, queue, trace, onEnd).then(resolve, failed);
      });
    transferTrace.run(() => ({ fileIds: transfers.map(({ fileId }) => fileId) }), transfer).catch(reject);
  });
}

/**
 * Resolves with the owners of the files. `onEnd` is called after the transfer has run. It is also called if a transfer
 * that was held back fails.
 */
async function transferAll(
  transfers: readonly Transfer[],
  queue: UnitQueue,
  trace?: TransferTrace,
  onEnd?: OnEnd,
): Promise<OwnerReference[]> {
  const runtime = TransferRuntime.of(queue.unit.dataSource);
  const { manager } = queue.unit;
  const outcome = outcomeOf(queue);
  const ledger = findLedger(manager);
  if (ledger && !ledger.onlyGivesValues) await followRecords(runtime, ledger, manager);
  const rows = await RowOwners.find(
    manager,
    transfers.flatMap(({ target }) => target.wanted),
  );
  const owners = transfers.map(({ target }) => target.owner(outcome, rows));
  if (trace) trace.owners = owners;
  await ChangeRights.find(queue.unit)?.assert(
    owners.map((owner, index) => ({ owner, claimants: transfers[index]?.target.claimants ?? [] })),
  );
  // An owner that was removed in the meantime is refused. Otherwise its row is locked. So a later removal waits for
  // this transaction, and sees the owner's files.
  const unwritten = owners.filter((owner) => !rows.isWritten(owner));
  if (unwritten.length > 0) await assertOwnersExist(manager, unwritten, runtime.ownerEntities);
  if (ledger && !ledger.onlyGivesValues)
    await runtime.quotas.charge(manager, await letGoBefore(transfers, queue, ledger));
  const requests = requestsOf(transfers, owners, queue);
  const moves = [...requests.values()].map(({ move }) => move);
  const refusalOf = (outcomes: readonly TransferOutcome[]): Error | undefined => {
    const refusals = outcomes.flatMap((file) => {
      if (isDone(file)) return [];
      // An earlier owner with the same id may have left the file behind, and this transaction has released it. Then the
      // state before that release counts.
      const before = ledger?.files.beforeDisinherited(file.fileId) ?? file.before;
      return requests.get(file.fileId)?.target.refusal({ ...file, before }, outcome) ?? [];
    });
    return refusals.length > 0 ? errorOf(refusals) : undefined;
  };
  const { attachPending } = runtime;
  const terms = { ...(await runtime.actor()), force: false, pin: true, attachPending };
  if (endWith(runtime, queue, moves, terms, refusalOf, onEnd)) {
    noteMoves(runtime, manager, moves, []);
    return owners;
  }
  const outcomes = await moveFiles(runtime, manager, moves, terms);
  const refusal = refusalOf(outcomes);
  if (refusal) throw refusal;
  noteMoves(runtime, manager, moves, outcomes);
  if (!runtime.quotas.isEmpty) await chargeMoves(runtime, manager, moves, outcomes);
  // The record names these files now. If a file stayed unpinned, its owner could give it away while the record names
  // it.
  const unpinned = outcomes.filter(({ verdict, before }) => verdict === 'kept' && !before.pinned);
  if (unpinned.length > 0) await setPins(runtime.statements, manager, unpinned, true, terms.actor);
  onEnd?.();
  return owners;
}

function isDone({ verdict }: TransferOutcome): boolean {
  return verdict === 'moved' || verdict === 'kept';
}

/**
 * Holds the transfer back and sends it with the COMMIT, if it is the last work of the queue and its result is not
 * needed earlier. Returns whether the transfer was held back.
 */
function endWith(
  runtime: TransferRuntime,
  queue: UnitQueue,
  moves: readonly Move[],
  terms: TransferTerms,
  refusalOf: (outcomes: readonly TransferOutcome[]) => Error | undefined,
  onEnd: OnEnd,
): boolean {
  const { actor, isManager } = terms;
  if (queue.size > 0 || isManager || !runtime.quotas.isEmpty) return false;
  // If a file is taken from another record, that record may still name it, so the guard needs the result. Each file
  // must therefore belong to the actor or to nobody, and no class of the actor's type may be guarded.
  const { dataSource } = queue.unit;
  if (moves.some(({ from }) => from === 'anyone') || (actor && guardedOwners(dataSource, actor.type).length > 0))
    return false;
  // If the new owner has a scanner, scans are queued after the transfer.
  if (moves.some((move) => isScanned(runtime, move))) return false;
  const last = runtime.statements.lastTransfer(moves, terms);
  if (!last) return false;
  const { sql, parameters, refused } = last;
  const refusal = (error: unknown): Error | undefined => {
    const outcomes = refused(error);
    return outcomes && refusalOf(outcomes);
  };
  return queue.endWith({ sql, parameters, refusal, ...(onEnd && { onEnd }) });
}

/**
 * Applies `onReplace` to files that records no longer name, except for those of the transfers and those `kept`. First
 * locks these files together with the files of the transfers. Returns what the quotas have to be charged with.
 */
export async function letGoBefore(
  transfers: readonly Transfer[],
  queue: UnitQueue,
  ledger: RecordLedger,
  kept: readonly string[] = [],
): Promise<UsageChange[]> {
  const { manager, dataSource } = queue.unit;
  if ((await filesLetGo(ledger, manager)).length === 0) return [];
  const [first] = transfers;
  if (first) await lockTransfers(transfers, queue);
  const waiting = first ? queue.waitingWith(first) : [];
  const ids = [...transfers, ...waiting].map(({ fileId }) => fileIdOrFail(fileId));
  return letRecordsGo(TransferRuntime.of(dataSource), ledger, transactionOf(manager), [...ids, ...kept]);
}

/** Returns the arguments, result and bindings of the call, from which owners are found. */
export function outcomeOf(queue: UnitQueue): CallOutcome {
  const { ownerTypes } = TransferRuntime.of(queue.unit.dataSource);
  return new CallOutcome(queue.args, entityResult(queue), queue.bindings(), ownerTypes);
}

// A gateway returns its result in an object with `event` and `data`:
// https://docs.nestjs.com/websockets/gateways#multiple-responses
function entityResult({ context, result }: UnitQueue): unknown {
  const isMessage = context?.getType<string>() === 'ws' && typeof result === 'object' && result !== null;
  return isMessage && 'event' in result && 'data' in result ? result.data : result;
}

/**
 * Makes one request for each file. Throws `OwnerConflictError` if two transfers of the unit give a file to different
 * owners.
 */
function requestsOf(
  transfers: readonly Transfer[],
  owners: readonly OwnerReference[],
  { unit }: UnitQueue,
): Map<string, Request> {
  const requests = new Map<string, Request>();
  const given = unit.slot(GIVEN, () => new Map<string, OwnerReference>());
  for (const [index, owner] of owners.entries()) {
    const transfer = transfers[index];
    if (!transfer) continue;
    const { target } = transfer;
    const fileId = fileIdOrFail(transfer.fileId);
    if (owner !== owners[index - 1]) assertOwnerReference(owner);
    assertSame(fileId, given.get(fileId) ?? owner, owner);
    given.set(fileId, owner);
    const before = requests.get(fileId);
    const from = before?.move.from === 'anyone' ? 'anyone' : target.from;
    const field = target.field ?? before?.move.field ?? null;
    const seen = contentFor({ from, seen: target.seen }, fileId, unit);
    const move: Move = { fileId, toType: owner.type, toId: owner.id, field, from, seen };
    requests.set(fileId, { move, target: before?.target ?? target });
  }
  return requests;
}

/** The content that a claim attaches: what its check examined, or what the unit itself has replaced that with. */
function contentFor(
  { from, seen }: Pick<Move, 'from' | 'seen'>,
  fileId: string,
  unit: UnitQueue['unit'],
): Move['seen'] {
  return from === 'anyone' ? undefined : (replacedIn(unit, fileId) ?? seen);
}

function assertSame(fileId: string, one: OwnerReference, other: OwnerReference): void {
  if (one.type === other.type && one.id === other.id) return;
  throw new OwnerConflictError(
    fileId,
    [one, other].map(({ type, id }) => `${type} ${id}`),
  );
}

function errorOf(refusals: readonly Refusal[]): Error {
  const changed: string[] = [];
  const fields = new Map<string, { write: RefusalMessage['write']; fileIds: string[] }>();
  for (const refusal of refusals) {
    if (refusal.kind === 'error') return refusal.error;
    if (refusal.kind === 'changed') changed.push(refusal.fileId);
    else {
      for (const { key, write, fileId } of refusal.messages) {
        const field = fields.get(key);
        if (field) field.fileIds.push(fileId);
        else fields.set(key, { write, fileIds: [fileId] });
      }
    }
  }
  if (changed.length > 0) return new FileChangedError(changed);
  const problems = [...fields.values()].map(({ write, fileIds }) => write(fileIds));
  return new ValidationFailedError(
    problems.map(({ message }) => message),
    { problems },
  );
}
