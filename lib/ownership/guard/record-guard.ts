import { Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap, OnModuleInit } from '@nestjs/common';
import type { QueryRunner, EntityManager, EntityMetadata } from 'typeorm';
import { carried, carrying } from '../../unit-of-work/scopes/ambient.js';
import { openTransaction } from '../../unit-of-work/unit-of-work.js';
import type { UnitOfWork, OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { watchWrites } from '../../unit-of-work/typeorm/query-builders.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import { ownerOf } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { TransferRuntime } from '../transfer-runtime.js';
import type { Move, TransferOutcome } from '../statements/transfer-statements.js';
import { ChangeRights } from './change-rights.js';
import { guardedEntitiesOf, guardedOwners, guardedEntity } from './guarded-entities.js';
import { guardedWrite } from './record-writes.js';
import type { GuardedWrite } from './write-statement.js';
import { transactionOf, RecordLedger } from './record-ledger.js';
import { settleRecords } from './settle-records.js';
import { rowsOfOwners } from './record-rows.js';

/** The transaction that was opened for a write outside of any. */
class OwnTransaction {
  constructor(readonly runner: QueryRunner) {}
}

/**
 * Notices every write of guarded rows, in units of work and outside of them, and has the rows checked before the
 * commit. A write outside of any transaction gets one.
 */
@Injectable()
export class RecordGuard implements OnModuleInit, OnApplicationBootstrap {
  #end: (() => void) | undefined;
  /** The writes that run in a transaction opened for them, by the application's query runner. */
  readonly #alone = new WeakMap<QueryRunner, Promise<unknown>>();

  constructor(
    private readonly transactor: Transactor,
    private readonly runtime: TransferRuntime,
  ) {}

  onModuleInit(): void {
    this.#watch();
    this.transactor.atClose(() => this.end());
  }

  /** A data source that was not initialized before has its entities by now. */
  onApplicationBootstrap(): void {
    this.#watch();
  }

  /** Called when the transactor ends: until then, every write is checked. */
  end(): void {
    this.#end?.();
    this.#end = undefined;
  }

  #watch(): void {
    const { dataSource } = this.transactor;
    if (this.#end || !dataSource.isInitialized || guardedEntitiesOf(dataSource).length === 0) return;
    this.#end = watchWrites(dataSource, (builder, inner) => {
      const unit = this.transactor.current();
      const rights = ChangeRights.find(unit);
      const execute = rights && unit ? () => rights.around(builder, unit, inner) : inner;
      let write: GuardedWrite | undefined;
      try {
        write = guardedWrite(builder);
      } catch (error) {
        return Promise.reject(error as Error);
      }
      const isIgnored = write && !write.entity.isGuardedOutside && !unit;
      return write && !isIgnored ? this.#run(write, builder, execute, unit) : execute();
    });
  }

  async #run(
    write: GuardedWrite,
    builder: WriteBuilder,
    execute: () => Promise<unknown>,
    unit?: UnitOfWork,
  ): Promise<unknown> {
    const { queryRunner } = builder;
    const given = queryRunner ?? unit?.manager.queryRunner;
    const runner = given ?? this.transactor.dataSource.createQueryRunner();
    // A transaction that another write has opened for itself is not the application's.
    if (carried(OwnTransaction)?.runner !== runner) {
      while (this.#alone.has(runner)) await Promise.allSettled([this.#alone.get(runner)]);
    }
    builder.queryRunner = runner;
    try {
      return await (runner.isTransactionActive
        ? this.#note(write, runner, execute)
        : this.#inOwn(write, runner, execute));
    } finally {
      builder.queryRunner = queryRunner;
      if (!given) await runner.release();
    }
  }

  #note(write: GuardedWrite, runner: QueryRunner, execute: () => Promise<unknown>): Promise<unknown> {
    const transaction = openTransaction(runner);
    const ledger = ledgerIn(this.runtime, transaction);
    return ledger.during(write.run(execute, ledger, transaction.manager));
  }

  async #inOwn(write: GuardedWrite, runner: QueryRunner, execute: () => Promise<unknown>): Promise<unknown> {
    const work = carrying(new OwnTransaction(runner), () => this.#committed(write, runner, execute));
    this.#alone.set(runner, work);
    try {
      return await work;
    } finally {
      this.#alone.delete(runner);
    }
  }

  async #committed(write: GuardedWrite, runner: QueryRunner, execute: () => Promise<unknown>): Promise<unknown> {
    await runner.startTransaction();
    try {
      const result = await this.#note(write, runner, execute);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    }
  }
}

/** The ledger of the entity manager's transaction, which is settled before the COMMIT. */
function ledgerOf(runtime: TransferRuntime, manager: EntityManager): RecordLedger {
  return ledgerIn(runtime, transactionOf(manager));
}

/** The ledger of the transaction, which is settled before the COMMIT. */
function ledgerIn(runtime: TransferRuntime, transaction: OpenTransaction): RecordLedger {
  return RecordLedger.of(transaction, (ledger) => settleRecords(runtime, ledger, transaction));
}

/** Notes completed transfers: the new owners of the files, and the guarded owners that lost them. */
export function noteMoves(
  runtime: TransferRuntime,
  manager: EntityManager,
  moves: readonly Move[],
  outcomes: readonly TransferOutcome[],
): void {
  if (guardedEntitiesOf(dataSourceOf(manager)).length === 0) return;
  const ledger = ledgerOf(runtime, manager);
  const guarded = new Set(guardedEntitiesOf(dataSourceOf(manager)).map(({ ownerType }) => ownerType));
  for (const { fileId, verdict, before } of outcomes) {
    const owner = verdict === 'moved' && before.ownerType !== null && guarded.has(before.ownerType) && ownerOf(before);
    if (owner) ledger.files.taken(fileId, owner);
  }
  let given: OwnerReference | undefined;
  for (const { fileId, toType: type, toId: id } of moves) {
    if (given?.type !== type || given.id !== id) given = { type, id };
    ledger.files.given(fileId, given);
  }
}

/** Notes that a file was taken from its owner, by a transfer or because it was deleted. */
export function noteTaken(
  runtime: TransferRuntime,
  manager: EntityManager,
  fileId: string,
  owner: OwnerReference,
): void {
  ledgerAbout(runtime, manager, owner)?.files.taken(fileId, owner);
}

/** Notes that the owner got a new file. */
export function noteCreated(
  runtime: TransferRuntime,
  manager: EntityManager,
  fileId: string,
  owner: OwnerReference,
): void {
  ledgerAbout(runtime, manager, owner)?.files.given(fileId, owner);
}

/** The ledger, where a guarded class has the owner's type. */
function ledgerAbout(
  runtime: TransferRuntime,
  manager: EntityManager,
  { type }: OwnerReference,
): RecordLedger | undefined {
  return guardedOwners(dataSourceOf(manager), type).length > 0 ? ledgerOf(runtime, manager) : undefined;
}

/** Notes a write of the library's own SQL, past TypeORM's query builders, into the rows of these owners. */
export async function noteWrite<T>(
  runtime: TransferRuntime,
  manager: EntityManager,
  metadata: EntityMetadata,
  ownerIds: readonly string[],
  write: () => Promise<T>,
): Promise<T> {
  const entity = guardedEntity(metadata);
  if (!entity) return write();
  const ledger = ledgerOf(runtime, manager);
  for (const record of await rowsOfOwners(manager, entity, ownerIds, true)) ledger.seen(record);
  const result = await ledger.during(write());
  for (const { key, ownerId, values } of await rowsOfOwners(manager, entity, ownerIds)) {
    ledger.updated(entity, key, ownerId, values);
  }
  return result;
}
