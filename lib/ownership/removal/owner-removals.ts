import { Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap, OnModuleInit } from '@nestjs/common';
import type { EntityManager, EntitySubscriberInterface, QueryRunner, RemoveEvent } from 'typeorm';
import { OwnerHasFilesError } from '../../errors/ownership.errors.js';
import { UnitAbortedError } from '../../errors/units.errors.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { applyPolicies, noFilesToLetGo } from '../let-go.js';
import type { LettingGo } from '../let-go.js';
import { guardedEntity } from '../guard/guarded-entities.js';
import { noteTaken } from '../guard/record-guard.js';
import { ownerEntitiesOf } from '../owner-entities.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import { TransferRuntime } from '../transfer-runtime.js';
import { mayConcern, noId, RemovedOwners } from './removed-owner.js';
import type { RemovedOwner } from './removed-owner.js';

interface Flush {
  readonly events: RemoveEvent<object>[];
  readonly done: Promise<void>;
}

type Deal = (manager: EntityManager, owners: readonly RemovedOwner[]) => Promise<void>;

/**
 * Applies `onDelete` to the files of owners that TypeORM removes, in the transaction that removes them. All owners of
 * one flush are dealt with together. Refusals come before the first row is removed; files go after their owners, whose
 * rows may refer to them.
 */
@Injectable()
export class OwnerRemovals implements EntitySubscriberInterface<object>, OnModuleInit, OnApplicationBootstrap {
  readonly #owners = new RemovedOwners();
  readonly #before = new WeakMap<QueryRunner, Flush>();
  readonly #after = new WeakMap<QueryRunner, Flush>();

  constructor(
    private readonly transactor: Transactor,
    private readonly runtime: TransferRuntime,
  ) {}

  onModuleInit(): void {
    this.#subscribe();
    this.transactor.atClose(() => this.end());
  }

  /** If the data source was not initialized before, it has its entities and a new list of subscribers only now. */
  onApplicationBootstrap(): void {
    this.#subscribe();
  }

  /** Called when the transactor ends: until then, owners are removed. */
  end(): void {
    const { subscribers } = this.transactor.dataSource;
    const at = subscribers.indexOf(this);
    if (at >= 0) subscribers.splice(at, 1);
  }

  beforeRemove(event: RemoveEvent<object>): Promise<void> | undefined {
    return this.#gather(this.#before, event, (manager, owners) => this.#admit(manager, owners));
  }

  afterRemove(event: RemoveEvent<object>): Promise<void> | undefined {
    return this.#gather(this.#after, event, (manager, owners) => this.#letGo(manager, owners));
  }

  /** TypeORM calls the subscriber for all entities of a flush before it awaits anything. */
  #gather(flushes: WeakMap<QueryRunner, Flush>, event: RemoveEvent<object>, deal: Deal): Promise<void> | undefined {
    if (!mayConcern(event)) return undefined;
    const { queryRunner, manager } = event;
    const open = flushes.get(queryRunner);
    if (open) {
      open.events.push(event);
      return open.done;
    }
    const events = [event];
    const done = Promise.resolve().then(async () => {
      flushes.delete(queryRunner);
      const owners: RemovedOwner[] = [];
      for (const one of events) owners.push(...(await this.#owners.of(one)));
      await deal(manager, owners);
    });
    // TypeORM does not await it if another subscriber throws.
    done.catch(() => undefined);
    flushes.set(queryRunner, { events, done });
    return done;
  }

  #subscribe(): void {
    const { dataSource } = this.transactor;
    const owners = ownerEntitiesOf(dataSource).filter(
      (owner) => owner.onDelete !== 'keep' && !guardedEntity(owner.metadata),
    );
    for (const owner of owners) if (!owner.idColumn) throw noId(owner);
    if (owners.length > 0 && !dataSource.subscribers.includes(this)) dataSource.subscribers.push(this);
  }

  async #admit(manager: EntityManager, owners: readonly RemovedOwner[]): Promise<void> {
    const isFree = owners.every(({ onDelete }) => onDelete === 'restrict');
    if (!isFree && !manager.queryRunner?.isTransactionActive) {
      throw new UnitAbortedError(
        'an owner of files was removed with `transaction: false`, so its files could not be removed in the same commit',
      );
    }
    const held = await heldFiles(
      this.runtime,
      manager,
      holdingsOf(owners.filter(({ onDelete }) => onDelete === 'restrict')),
    );
    if (held.length > 0) refuse(await this.runtime.statements.look(manager, held), owners);
  }

  async #letGo(manager: EntityManager, owners: readonly RemovedOwner[]): Promise<void> {
    const held = await heldFiles(this.runtime, manager, holdingsOf(owners));
    if (held.length === 0) return;
    await this.transactor.run(
      async (unit) => {
        const locked = await this.runtime.statements.lock(unit.manager, held);
        // Owners may have got files since `#admit`: only now their files are locked.
        refuse(locked, owners);
        const files = noFilesToLetGo();
        for (const policy of Object.keys(files) as LettingGo[]) files[policy] = ownedBy(locked, owners, policy);
        // Rows of a guarded class may be owners of the same type, and still name them.
        for (const { id, ownerType, ownerId } of Object.values(files).flat()) {
          if (ownerType === null || ownerId === null) continue;
          noteTaken(this.runtime, unit.manager, id, { type: ownerType, id: ownerId });
        }
        await applyPolicies(this.runtime, unit, files);
      },
      { manager },
    );
  }
}

function refuse(files: readonly FileSnapshot[], owners: readonly RemovedOwner[]): void {
  const [first] = ownedBy(files, owners, 'restrict');
  if (!first || first.ownerType === null || first.ownerId === null) return;
  const { ownerType, ownerId } = first;
  const count = files.filter((file) => file.ownerType === ownerType && file.ownerId === ownerId).length;
  throw new OwnerHasFilesError(ownerType, ownerId, count);
}

function ownedBy(
  files: readonly FileSnapshot[],
  owners: readonly RemovedOwner[],
  policy: RemovedOwner['onDelete'],
): FileSnapshot[] {
  const keys = new Set(owners.filter(({ onDelete }) => onDelete === policy).map(({ type, id }) => keyOf(type, id)));
  return files.filter(({ ownerType, ownerId }) => keys.has(keyOf(ownerType, ownerId)));
}

function holdingsOf(owners: readonly RemovedOwner[]): { owner: RemovedOwner }[] {
  return owners.map((owner) => ({ owner }));
}

function keyOf(type: string | null, id: string | null): string {
  return JSON.stringify([type, id]);
}
