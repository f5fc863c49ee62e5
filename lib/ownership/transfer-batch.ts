import { FileChangedError } from '../errors/file-changed.error.js';
import { FileNotFoundError } from '../errors/file-not-found.error.js';
import { FileOwnerConflictError } from '../errors/file-owner-conflict.error.js';
import { FileValidationError } from '../errors/file-validation.error.js';
import { normalizeFileId } from '../files/file-id.js';
import { assertOwnerReference } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import { CallOutcome } from './owner-resolution.js';
import type { Move, MoveOutcome } from './statements/transfer-statements.js';
import { TransferRuntime } from './transfer-runtime.js';
import type { RefusalMessage, TransferTarget } from './transfer-target.js';

/** A queued transfer, as the batch sees it. */
export interface Transfer {
  readonly fileId: string;
  readonly target: TransferTarget;
}

interface Request {
  readonly owner: OwnerReference;
  readonly move: Move;
  readonly target: TransferTarget;
}

const GIVEN = Symbol('nestjs-files:given');

/** Locks the files of all queued transfers in the order of their ids, for transfers that are not one batch. */
export async function lockTransfers(transfers: readonly Transfer[], { unit }: UnitQueue): Promise<void> {
  const ids = new Set(transfers.map(({ fileId }) => idOf(fileId)));
  await TransferRuntime.of(unit.dataSource).statements.lock(unit.manager, [...ids]);
}

/** Transfers and pins all of the files, or throws. Resolves with the owner of each. */
export async function runTransfers(transfers: readonly Transfer[], queue: UnitQueue): Promise<OwnerReference[]> {
  const runtime = TransferRuntime.of(queue.unit.dataSource);
  const outcome = outcomeOf(queue);
  const requests = requestsOf(transfers, outcome, queue);
  const moves = [...requests.values()].map(({ move }) => move);
  const terms = { ...(await runtime.actor()), force: false, pin: true };
  const outcomes = await runtime.statements.transfer(queue.unit.manager, moves, terms);
  const refused = outcomes.filter(({ verdict }) => verdict !== 'moved' && verdict !== 'kept');
  if (refused.length > 0) throw refusalOf(refused, requests, outcome);
  return transfers.map(({ fileId }) => requests.get(idOf(fileId))!.owner);
}

function outcomeOf(queue: UnitQueue): CallOutcome {
  return new CallOutcome(queue.args, entityResult(queue), (dto) => queue.bound(dto));
}

// A gateway wraps what it made: https://docs.nestjs.com/websockets/gateways#multiple-responses
function entityResult({ context, result }: UnitQueue): unknown {
  const isMessage = context?.getType<string>() === 'ws' && typeof result === 'object' && result !== null;
  return isMessage && 'event' in result && 'data' in result ? result.data : result;
}

/** One request per file; a file that two transfers of the unit give to different owners is refused. */
function requestsOf(transfers: readonly Transfer[], outcome: CallOutcome, { unit }: UnitQueue): Map<string, Request> {
  const requests = new Map<string, Request>();
  const given = unit.slot(GIVEN, () => new Map<string, OwnerReference>());
  for (const { fileId: written, target } of transfers) {
    const fileId = idOf(written);
    const owner = target.owner(outcome);
    assertOwnerReference(owner);
    const other = given.get(fileId);
    if (other && (other.type !== owner.type || other.id !== owner.id)) {
      throw new FileOwnerConflictError(
        fileId,
        [other, owner].map(({ type, id }) => `${type} ${id}`),
      );
    }
    given.set(fileId, owner);
    const before = requests.get(fileId);
    const from = before?.move.from === 'anyone' ? 'anyone' : target.from;
    const move: Move = {
      fileId,
      toType: owner.type,
      toId: owner.id,
      field: target.field ?? before?.move.field ?? null,
      from,
    };
    requests.set(fileId, { owner, move, target: before?.target ?? target });
  }
  return requests;
}

function refusalOf(
  refused: readonly MoveOutcome[],
  requests: ReadonlyMap<string, Request>,
  outcome: CallOutcome,
): Error {
  const changed: string[] = [];
  const fields = new Map<string, RefusalMessage[]>();
  for (const file of refused) {
    const refusal = requests.get(file.fileId)!.target.refusal(file, outcome);
    if (refusal.kind === 'error') return refusal.error;
    if (refusal.kind === 'changed') changed.push(file.fileId);
    else for (const message of refusal.messages) fields.set(message.key, [...(fields.get(message.key) ?? []), message]);
  }
  if (changed.length > 0) return new FileChangedError(changed);
  const messages = [...fields.values()].map((about) => about[0]!.write(about.map(({ fileId }) => fileId)));
  return new FileValidationError(messages);
}

function idOf(fileId: string): string {
  const id = normalizeFileId(fileId);
  if (id === undefined) throw new FileNotFoundError(fileId);
  return id;
}
