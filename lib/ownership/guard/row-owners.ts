import type { EntityManager } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { guardedOwners } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import { findLedger } from './ledger-of.js';
import { rowsNaming, rowsOfOwners } from './record-rows.js';
import type { RecordRow } from './record-rows.js';

/** A file that is to become the owner's whose row names it. */
export interface WantedOwner {
  readonly fileId: string;
  readonly ownerType: string;
  /** Who owned it when it was checked. */
  readonly seenId: string | null;
}

/** The owners whose rows name files. */
export class RowOwners {
  readonly #owners = new Map<string, Map<string, OwnerReference>>();
  /** Owners whose rows this transaction has written, and that so cannot be removed by anybody else. */
  readonly #written = new Set<string>();
  readonly #types = new Map<string, readonly GuardedEntity[]>();

  private constructor(private readonly manager: EntityManager) {}

  /**
   * Finds the owners of all files: by what the transaction wrote where that tells, else one statement for each class of their owner
   * types.
   */
  static async find(manager: EntityManager, wanted: readonly WantedOwner[]): Promise<RowOwners> {
    const owners = new RowOwners(manager);
    const guarded = wanted.filter(({ ownerType }) => owners.isGuarded(ownerType));
    if (guarded.length === 0) return owners;
    const unknown = await owners.#byLedger(guarded);
    for (const type of new Set(unknown.map(({ ownerType }) => ownerType))) {
      await owners.#byRows(
        type,
        unknown.filter(({ ownerType }) => ownerType === type),
      );
    }
    return owners;
  }

  /** As `find`, by what the transaction wrote alone: of files that nobody can have named before. */
  static async written(manager: EntityManager, wanted: readonly WantedOwner[]): Promise<RowOwners> {
    const owners = new RowOwners(manager);
    await owners.#byLedger(wanted.filter(({ ownerType }) => owners.isGuarded(ownerType)));
    return owners;
  }

  /** Whether rows say who the owners of this type are. */
  isGuarded(ownerType: string): boolean {
    return this.#classesOf(ownerType).length > 0;
  }

  /** The owners of the type whose rows name the file. */
  of(fileId: string, ownerType: string): readonly OwnerReference[] {
    return [...(this.#owners.get(keyOf(ownerType, fileId))?.values() ?? [])];
  }

  /** Whether the transaction has written the owner's row. */
  isWritten({ type, id }: OwnerReference): boolean {
    return this.#written.has(keyOf(type, id));
  }

  /** Resolves with those that it does not tell. */
  async #byLedger(wanted: readonly WantedOwner[]): Promise<readonly WantedOwner[]> {
    const ledger = findLedger(this.manager);
    if (!ledger) return wanted;
    const unknown: WantedOwner[] = [];
    for (const one of wanted) {
      const rows = await ledger.naming(this.manager, one.fileId);
      const owned = rows.filter(({ entity }) => entity.ownerType === one.ownerType);
      for (const { ownerId } of owned) this.#written.add(this.#add(one.fileId, { type: one.ownerType, id: ownerId }));
      if (owned.length === 0) unknown.push(one);
    }
    return unknown;
  }

  /** By the columns of one id; lists only of the owner that has the file already. */
  async #byRows(type: string, wanted: readonly WantedOwner[]): Promise<void> {
    const ids = new Set(wanted.map(({ fileId }) => fileId));
    const owners = [...new Set(wanted.flatMap(({ seenId }) => seenId ?? []))];
    for (const entity of this.#classesOf(type)) {
      this.#addRows(await rowsNaming(this.manager, entity, [...ids]), ids);
      if (owners.length > 0) this.#addRows(await rowsOfOwners(this.manager, entity, owners), ids);
    }
  }

  #addRows(rows: readonly RecordRow[], fileIds: ReadonlySet<string>): void {
    for (const { entity, ownerId, values } of rows) {
      if (ownerId === undefined) continue;
      const named = [...values.values()].flatMap(({ ids }) => ids).filter((id) => fileIds.has(id));
      for (const id of named) this.#add(id, { type: entity.ownerType, id: ownerId });
    }
  }

  #add(fileId: string, owner: OwnerReference): string {
    const key = keyOf(owner.type, fileId);
    const known = this.#owners.get(key) ?? new Map<string, OwnerReference>();
    this.#owners.set(key, known.set(owner.id, owner));
    return keyOf(owner.type, owner.id);
  }

  #classesOf(type: string): readonly GuardedEntity[] {
    let classes = this.#types.get(type);
    if (!classes) this.#types.set(type, (classes = guardedOwners(this.manager.dataSource, type)));
    return classes;
  }
}

function keyOf(type: string, id: string): string {
  return `${type} ${id}`;
}
