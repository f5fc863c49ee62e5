import type { EntityManager } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ownerOf } from '../statements/verdict.js';
import type { Move, MoveOutcome } from '../statements/transfer-statements.js';
import type { TransferRuntime } from '../transfer-runtime.js';
import { guardedEntitiesOf, guardedOwners } from './guarded-entities.js';
import { ledgerOf } from './ledger-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/connected.js';

/** Notes transfers that were done: whose the files are now, and from which guarded owners they were taken. */
export function noteMoves(
  runtime: TransferRuntime,
  manager: EntityManager,
  moves: readonly Move[],
  outcomes: readonly MoveOutcome[],
): void {
  if (guardedEntitiesOf(dataSourceOf(manager)).length === 0) return;
  const ledger = ledgerOf(runtime, manager);
  const guarded = new Set(guardedEntitiesOf(dataSourceOf(manager)).map(({ ownerType }) => ownerType));
  for (const { fileId, verdict, before } of outcomes) {
    const owner = verdict === 'moved' && before.ownerType !== null && guarded.has(before.ownerType) && ownerOf(before);
    if (owner) ledger.taken(fileId, owner);
  }
  let given: OwnerReference | undefined;
  for (const { fileId, toType: type, toId: id } of moves) {
    if (given?.type !== type || given.id !== id) given = { type, id };
    ledger.given(fileId, given);
  }
}

/** Notes that a file was taken from its owner, by a transfer or because it was deleted. */
export function noteTaken(
  runtime: TransferRuntime,
  manager: EntityManager,
  fileId: string,
  owner: OwnerReference,
): void {
  if (guardedOwners(dataSourceOf(manager), owner.type).length > 0) ledgerOf(runtime, manager).taken(fileId, owner);
}

/** Notes that the owner got a new file. */
export function noteCreated(
  runtime: TransferRuntime,
  manager: EntityManager,
  fileId: string,
  owner: OwnerReference,
): void {
  if (guardedOwners(dataSourceOf(manager), owner.type).length > 0) ledgerOf(runtime, manager).given(fileId, owner);
}
