import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { transferTrace } from '../diagnostics/traces.js';
import { FileNotFoundError, FilePinnedError, FileUnownedError } from '../errors/files.errors.js';
import { ActorSource } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';
import { assertNotDerived } from '../files/derived/derived-rows.js';
import { fileIdOrFail } from '../files/file-id.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { assertOwnerReference, ownerOf } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { OwnershipPort } from '../files/ownership-port.js';
import type { Amount, Reservation, TransferOptions } from '../files/ownership-port.js';
import type { Room } from '../files/content/room.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { FileTransfer } from './file-transfer.entity.js';
import { toSnapshot } from './statements/transfer-statements.js';
import type { HistoryEntry, Move, TransferOutcome, TransferStatements } from './statements/transfer-statements.js';
import { noteCreated, noteMoves, noteTaken } from './guard/record-guard.js';
import { assertOwnersExist } from './owner-existence.js';
import { deleteFiles } from './let-go.js';
import { moveFiles } from './move-files.js';
import { setPins } from './pins.js';
import { chargeMoves } from './quotas/charge-moves.js';
import type { Quotas } from './quotas/quotas.js';
import { TransferRuntime } from './transfer-runtime.js';

const IDS_PER_STATEMENT = 10_000;

/** Ownership for trusted code, without access checks. Every change is in the history. */
@Injectable()
export class Ownership extends OwnershipPort {
  constructor(
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly runtime: TransferRuntime,
  ) {
    super();
  }

  /**
   * Moves all of the files to the owner, or none. A file that the owner has already stays as it is, except for `pin`.
   * Owners of a class with `@OwnsFiles()` have to exist.
   */
  async transfer(ids: readonly string[], to: TransferOptions & { field?: string }): Promise<void> {
    const { ownerType, ownerId, pin = false, force = false, field = null } = to;
    assertOwnerReference({ type: ownerType, id: ownerId });
    const moves = [...new Set(ids.map(fileIdOrFail))].map((fileId): Move => {
      return { fileId, toType: ownerType, toId: ownerId, field, from: 'anyone' };
    });
    if (moves.length === 0) return;
    const actor = to.actor === undefined ? await this.actors.current() : to.actor;
    const needsSavepoint = this.#quotas.isCounted(ownerType);
    const describe = () => ({ fileIds: moves.map(({ fileId }) => fileId), owners: [{ type: ownerType, id: ownerId }] });
    const transfer = async (manager: EntityManager): Promise<void> => {
      await assertOwnersExist(manager, [{ type: ownerType, id: ownerId }]);
      const outcomes = await moveFiles(this.runtime, manager, moves, { actor, isManager: true, force, pin });
      for (const outcome of outcomes) refuse(outcome);
      noteMoves(this.runtime, manager, moves, outcomes);
      await chargeMoves(this.runtime, manager, moves, outcomes);
      const unpinned = outcomes.filter(({ verdict, before }) => verdict === 'kept' && !before.pinned);
      if (pin) await setPins(this.#statements, manager, unpinned, true, actor);
      else await keepDrafts(manager, unpinned);
    };
    await transferTrace.run(describe, () => this.#inTransaction(needsSavepoint, transfer));
  }

  /** Pins owned files, or none; a pinned one is left alone. */
  async pin(ids: string | readonly string[]): Promise<void> {
    await this.#pin(ids, true);
  }

  /** Unpins files; one that is not pinned, or has no owner, is left alone. */
  async unpin(ids: string | readonly string[]): Promise<void> {
    await this.#pin(ids, false);
  }

  async history(id: string): Promise<FileTransfer[]> {
    const repository = this.transactor.dataSource.getRepository(FileTransfer);
    return repository.find({ where: { fileId: fileIdOrFail(id) }, order: { at: 'ASC', id: 'ASC' } });
  }

  async onCreate(
    file: ManagedFile,
    manager: EntityManager,
    actor?: Actor | null,
    ended: readonly Reservation[] = [],
  ): Promise<void> {
    const owner = ownerOf(file);
    await this.#record(manager, [creationOf(file)], actor);
    const released = ended.map((one) => ({ owner: one.owner, bytes: -one.bytes, count: -one.count }));
    await this.#quotas.charge(manager, [{ owner, bytes: file.size, count: 1 }, ...released]);
    if (owner) noteCreated(this.runtime, manager, file.id, owner);
  }

  async onCreateAll(
    files: readonly ManagedFile[],
    manager: EntityManager,
    actorOf: (file: ManagedFile) => Actor | null | undefined = () => undefined,
  ): Promise<void> {
    for (const [actor, own] of byActor(files, actorOf)) await this.#record(manager, own.map(creationOf), actor);
    await this.#quotas.charge(
      manager,
      files.map((file) => ({ owner: ownerOf(file), bytes: file.size, count: 1 })),
    );
    for (const file of files) {
      const owner = ownerOf(file);
      if (owner) noteCreated(this.runtime, manager, file.id, owner);
    }
  }

  async onDeleteAll(files: readonly ManagedFile[], manager: EntityManager): Promise<void> {
    await this.#record(manager, files.map(deletionOf));
    await this.#quotas.charge(
      manager,
      files.map((file) => ({ owner: ownerOf(file), bytes: -file.size, count: -1 })),
    );
    for (const file of files) {
      const owner = ownerOf(file);
      if (owner) noteTaken(this.runtime, manager, file.id, owner);
    }
  }

  async onDelete(file: ManagedFile, manager: EntityManager): Promise<void> {
    await this.#record(manager, [deletionOf(file)]);
    await this.#quotas.charge(manager, [{ owner: ownerOf(file), bytes: -file.size, count: -1 }], { going: file.id });
    const owner = ownerOf(file);
    if (owner) noteTaken(this.runtime, manager, file.id, owner);
  }

  async expire(files: readonly ManagedFile[], unit: UnitOfWork): Promise<void> {
    const expired = files.map((file) => toSnapshot({ ...file }));
    await this.#quotas.charge(unit.manager, await deleteFiles(this.runtime, unit, expired, 'expire'));
    for (const file of files) {
      const owner = ownerOf(file);
      if (owner) noteTaken(this.runtime, unit.manager, file.id, owner);
    }
  }

  async onReserve(
    owner: OwnerReference | null,
    announced: Amount,
    manager: EntityManager,
    takesPlace = false,
  ): Promise<void> {
    await this.#quotas.charge(manager, [{ owner, ...announced }], { isLimited: !takesPlace });
  }

  async onRelease(owner: OwnerReference | null, { bytes, count }: Amount, manager: EntityManager): Promise<void> {
    await this.#quotas.charge(manager, [{ owner, bytes: -bytes, count: -count }]);
  }

  async onResize(file: ManagedFile, bytesBefore: number, manager: EntityManager): Promise<void> {
    await this.#quotas.charge(manager, [{ owner: ownerOf(file), bytes: file.size - bytesBefore, count: 0 }]);
  }

  roomFor(owner: OwnerReference | null, more: Amount): Promise<Room | undefined> {
    return this.#quotas.roomFor(owner, more);
  }

  async #pin(ids: string | readonly string[], pinned: boolean): Promise<void> {
    const wanted = [...new Set([ids].flat().map(fileIdOrFail))];
    if (wanted.length === 0) return;
    const actor = await this.actors.current();
    await this.#inTransaction(false, async (manager) => {
      const locked = new Map((await this.#statements.lock(manager, wanted)).map((file) => [file.id, file]));
      const changed = wanted.flatMap((fileId) => {
        const before = locked.get(fileId);
        if (!before) throw new FileNotFoundError(fileId);
        if (pinned && before.ownerType === null) throw new FileUnownedError(fileId);
        if (pinned) assertNotDerived(before, 'a pin');
        return before.pinned === pinned ? [] : [{ fileId, before }];
      });
      await setPins(this.#statements, manager, changed, pinned, actor);
    });
  }

  async #record(manager: EntityManager, entries: readonly HistoryEntry[], actor?: Actor | null): Promise<void> {
    const by = actor === undefined ? await this.actors.current() : actor;
    await this.#statements.record(manager, entries, by);
  }

  get #quotas(): Quotas {
    return this.runtime.quotas;
  }

  get #statements(): TransferStatements {
    return this.runtime.statements;
  }

  // Within a unit no savepoint is needed where refusals come before anything is written.
  #inTransaction(needsSavepoint: boolean, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    const unit = needsSavepoint ? undefined : this.transactor.current();
    return unit ? work(unit.manager) : this.transactor.run(({ manager }) => work(manager));
  }
}

/** The files of each actor. */
function byActor(
  files: readonly ManagedFile[],
  actorOf: (file: ManagedFile) => Actor | null | undefined,
): Map<Actor | null | undefined, ManagedFile[]> {
  const groups = new Map<Actor | null | undefined, ManagedFile[]>();
  for (const file of files) {
    const actor = actorOf(file);
    const own = groups.get(actor);
    if (own) own.push(file);
    else groups.set(actor, [file]);
  }
  return groups;
}

function creationOf(file: ManagedFile): HistoryEntry {
  return { fileId: file.id, action: 'create', from: null, to: ownerOf(file), forced: false };
}

function deletionOf(file: ManagedFile): HistoryEntry {
  return { fileId: file.id, action: 'delete', from: ownerOf(file), to: null, forced: file.pinned };
}

/**
 * Files that were given to their present owner are drafts no more; no statement of the transfer has written their rows.
 */
async function keepDrafts(manager: EntityManager, files: readonly TransferOutcome[]): Promise<void> {
  const ids = files.map(({ fileId }) => fileId);
  for (const chunk of inChunks(ids, IDS_PER_STATEMENT))
    await manager.update(ManagedFile, { id: In(chunk) }, { expiresAt: null });
}

function refuse({ fileId, verdict }: TransferOutcome): void {
  if (verdict === 'missing') throw new FileNotFoundError(fileId);
  if (verdict === 'pinned') throw new FilePinnedError(fileId, 'a transfer');
}
