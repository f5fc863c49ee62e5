import type { EntityManager } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { FilesNotNamedError, OwnerConflictError, OwnerNotFoundError } from '../../errors/ownership.errors.js';
import { dtoPlaces } from '../call-outcome.js';
import type { CallOutcome, FileClaim } from '../call-outcome.js';
import { statedOwner } from '../owner-resolution.js';
import { guardedOwners } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import { findLedger } from './record-ledger.js';
import type { RecordLedger } from './record-ledger.js';
import { rowsNaming } from './record-rows.js';
import type { RecordRow } from './record-rows.js';

/** A file that is to be given to the owner whose row names it. */
export interface WantedOwner {
  readonly fileId: string;
  readonly ownerType: string;
  /** Its owner at the check. */
  readonly seenId: string | null;
}

interface OwnersOfType {
  readonly classes: readonly GuardedEntity[];
  readonly byFile: Map<string, OwnerReference[]>;
  /**
   * The ids of owners with a row that this transaction has written and that names one of the files. No other
   * transaction can remove it before the transaction ends.
   */
  readonly written: Set<string>;
}

/** The owners whose rows name files. */
export class RowOwners {
  readonly #types = new Map<string, OwnersOfType>();

  private constructor(private readonly manager: EntityManager) {}

  /**
   * Finds the owners of all files: from the transaction's own writes if one of them names the file, otherwise with one
   * statement for each guarded class of the owner type.
   */
  static async find(manager: EntityManager, wanted: readonly WantedOwner[]): Promise<RowOwners> {
    const owners = new RowOwners(manager);
    const guarded = wanted.filter(({ ownerType }) => owners.isGuarded(ownerType));
    if (guarded.length === 0) return owners;
    const ledger = findLedger(manager);
    if (ledger?.isUnsure) await ledger.read(manager);
    const unknown = owners.#byLedger(ledger, guarded);
    for (const type of new Set(unknown.map(({ ownerType }) => ownerType))) {
      await owners.#byRows(
        type,
        unknown.filter(({ ownerType }) => ownerType === type),
      );
    }
    return owners;
  }

  /** As `find`, from the transaction's own writes alone, for files that no row can have named before. */
  static async written(manager: EntityManager, wanted: readonly WantedOwner[]): Promise<RowOwners> {
    const owners = new RowOwners(manager);
    const ledger = findLedger(manager);
    if (ledger?.isUnsure) await ledger.read(manager);
    owners.#byLedger(
      ledger,
      wanted.filter(({ ownerType }) => owners.isGuarded(ownerType)),
    );
    return owners;
  }

  /** Whether rows decide who the owners of this type are. */
  isGuarded(ownerType: string): boolean {
    return this.#ofType(ownerType).classes.length > 0;
  }

  /** The owners of the type whose rows name the file. */
  of(fileId: string, ownerType: string): readonly OwnerReference[] {
    const owners = this.#ofType(ownerType).byFile.get(fileId) ?? [];
    return owners.length < 2 ? owners : [...new Map(owners.map((owner) => [owner.id, owner])).values()];
  }

  /** The files that the rows written by this transaction name in the field, by the id of their owner. */
  namedIn(field: string, ownerType: string): ReadonlyMap<string, ReadonlySet<string>> {
    const byOwner = new Map<string, Set<string>>();
    for (const { owner, values } of findLedger(this.manager)?.current ?? []) {
      if (owner.type !== ownerType) continue;
      const named = byOwner.get(owner.id) ?? new Set();
      byOwner.set(owner.id, named);
      for (const [{ name }, { ids }] of values) if (name === field) for (const id of ids) named.add(id);
    }
    return byOwner;
  }

  /** The owner whose row would name the file, but was removed meanwhile. */
  vanished(fileId: string, ownerType: string): OwnerReference | undefined {
    return findLedger(this.manager)?.vanished(ownerType, fileId);
  }

  /** Whether the transaction is known to have written a row of the owner that names one of the files. */
  isWritten({ type, id }: OwnerReference): boolean {
    return this.#ofType(type).written.has(id);
  }

  /** Notes the owners that the ledger knows, and returns the other files. */
  #byLedger(ledger: RecordLedger | undefined, wanted: readonly WantedOwner[]): readonly WantedOwner[] {
    if (!ledger) return wanted;
    const { naming } = ledger;
    return wanted.filter(({ fileId, ownerType }) => {
      const { byFile, written } = this.#ofType(ownerType);
      let isUnknown = true;
      for (const { owner } of naming.get(fileId) ?? []) {
        if (owner.type !== ownerType) continue;
        isUnknown = false;
        add(byFile, fileId, owner);
        written.add(owner.id);
      }
      return isUnknown;
    });
  }

  /** By the columns that hold one id. A list is read only in rows of the owner that had the file at the early check. */
  async #byRows(type: string, wanted: readonly WantedOwner[]): Promise<void> {
    const ids = new Set(wanted.map(({ fileId }) => fileId));
    const files = wanted.map(({ fileId, seenId }) => ({ fileId, ownerId: seenId }));
    for (const entity of this.#ofType(type).classes) {
      this.#addRows(await rowsNaming(this.manager, entity, files), ids);
    }
  }

  #addRows(rows: readonly RecordRow[], fileIds: ReadonlySet<string>): void {
    for (const { entity, ownerId, values } of rows) {
      if (ownerId === undefined) continue;
      const named = [...values.values()].flatMap(({ ids }) => ids).filter((id) => fileIds.has(id));
      const owner = { type: entity.ownerType, id: ownerId };
      for (const id of named) add(this.#ofType(owner.type).byFile, id, owner);
    }
  }

  #ofType(type: string): OwnersOfType {
    let owners = this.#types.get(type);
    if (!owners) {
      owners = { classes: guardedOwners(dataSourceOf(this.manager), type), byFile: new Map(), written: new Set() };
      this.#types.set(type, owners);
    }
    return owners;
  }
}

function add(byFile: Map<string, OwnerReference[]>, fileId: string, owner: OwnerReference): void {
  const owners = byFile.get(fileId);
  if (owners) owners.push(owner);
  else byFile.set(fileId, [owner]);
}

/**
 * The owner whose row names the claimed file. If several do, `queue.bind()` or the field's `owner` chooses one of them.
 * Throws `FilesNotNamedError` if no row names it, or not the chosen one's, and `OwnerNotFoundError` if the row was
 * removed meanwhile.
 */
export function rowOwner(claim: FileClaim, outcome: CallOutcome, rows: RowOwners): OwnerReference {
  const { fileId, ownerType, dtoName, property } = claim;
  const owners = rows.of(fileId, ownerType);
  const received = outcome.hasBindings ? dtoPlaces(claim, outcome)[0]?.object : undefined;
  const stated = statedOwner(claim, received, outcome);
  const candidates = stated === undefined ? owners : owners.filter(({ id }) => id === stated);
  const [owner, ...others] = candidates;
  if (owner === undefined) {
    const gone = rows.vanished(fileId, ownerType);
    throw gone
      ? new OwnerNotFoundError(gone.type, gone.id)
      : new FilesNotNamedError(`${dtoName}.${property}`, fileId, ownerType);
  }
  if (others.length > 0) {
    throw new OwnerConflictError(
      fileId,
      owners.map(({ type, id }) => `${type} ${id}`),
    );
  }
  return owner;
}
