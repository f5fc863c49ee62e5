import type { EntityManager } from 'typeorm';
import { AccessDeniedError, AuthenticationRequiredError } from '../../errors/access.errors.js';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import type { UnitQueue } from '../../task-queue/unit-queue.js';
import type { Actor } from '../../actor/actor.js';
import { TransferRuntime } from '../transfer-runtime.js';
import type { OwnerColumn } from '../owner-entities.js';
import { guardedOwners } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import { uniqueConditions } from './record-insertions.js';
import { rowsMeeting } from './record-rows.js';
import type { RecordRow } from './record-rows.js';
import { rowsOf, rowsToInsert, valueIn } from './write-statement.js';

const NO_FIELDS = { fields: [], parentColumns: [], heirs: [] };
const RIGHTS = Symbol('nestjs-files:change-rights');
const CLAIMANTS = Symbol('nestjs-files:claimants');

/** The actor who made a claim, and has to have the right to change the owner. */
export type Claimant = Promise<{ readonly actor: Actor | null }>;

/** An owner that claims give files to. */
export interface WantedChange {
  readonly owner: OwnerReference;
  readonly claimants: readonly Claimant[];
}

/** The actors whose claims a write may be for. */
interface Watched {
  readonly entity: GuardedEntity;
  readonly actors: readonly (Actor | null)[];
}

/**
 * Whether the actors who made claims may change the owners that these are for. Several actors may act in one root unit
 * of work. Each is asked about an owner before the unit of its claim first writes the owner's row: the handler's own
 * writes, in whoever's name, must not decide whether it may write.
 */
export class ChangeRights {
  readonly #tables = new Map<string, GuardedEntity[]>();
  readonly #types = new Set<string>();
  /** The owners that each actor's units have inserted. */
  readonly #inserted = new Set<string>();
  readonly #answers = new Map<string, boolean>();

  private constructor(private readonly runtime: TransferRuntime) {}

  /**
   * Requires the right of the current actor to change owners of this type; throws if their rows are not watched. Called
   * before the handler.
   */
  static want(runtime: TransferRuntime, unit: UnitOfWork, ownerType: string, place: string): Claimant {
    unit.root.slot(RIGHTS, () => new ChangeRights(runtime)).#watch(unit.root, ownerType, place);
    const byType = unit.slot(CLAIMANTS, () => new Map<string, Set<Claimant>>());
    const claimants = byType.get(ownerType) ?? new Set();
    byType.set(ownerType, claimants);
    const claimant = runtime.actor();
    // Writes and the end of the unit wait for it, and fail with it. Until then it must not end the process.
    claimant.catch(() => undefined);
    claimants.add(claimant);
    return claimant;
  }

  #watch({ dataSource }: UnitOfWork, ownerType: string, place: string): void {
    if (this.#types.has(ownerType)) return;
    const entities = guardedOwners(dataSource, ownerType);
    if (entities.length === 0) {
      const why = `authorize needs the rows of "${ownerType}" to be watched: put @FileField() above the column that names files.`;
      throw new DecorationInvalidError('authorize', place, why);
    }
    this.#types.add(ownerType);
    const [known] = entities;
    // The row that is the owner may name no files itself.
    const owners = this.runtime.ownerEntities.flatMap((owner) =>
      known && owner.ownerType === ownerType && owner.idColumn
        ? [{ ...known, ...owner, ...NO_FIELDS, idColumn: owner.idColumn }]
        : [],
    );
    for (const entity of [...owners, ...entities.flatMap(withParent)]) {
      const { tablePath } = entity.metadata;
      this.#tables.set(tablePath, [...(this.#tables.get(tablePath) ?? []), entity]);
    }
  }

  /** The rights of the unit, if one of its claims requires them. */
  static find(unit: UnitOfWork | undefined): ChangeRights | undefined {
    return unit?.root.peek<ChangeRights>(RIGHTS);
  }

  /** Does the write, after a check of the owners whose rows exist already. */
  async around(builder: WriteBuilder, unit: UnitOfWork, execute: () => Promise<unknown>): Promise<unknown> {
    const watched = await this.#watchedBy(builder, unit);
    for (const { entity, actors } of watched) {
      const rows = await rowsToWrite(builder, entity, unit.manager);
      const ids = rows.flatMap(({ ownerId }) => ownerId ?? []);
      for (const actor of actors) await this.#ask(actor, entity.ownerType, ids);
    }
    const result = await execute();
    if (builder.expressionMap.queryType === 'insert') for (const one of watched) this.#note(builder, one, result, unit);
    return result;
  }

  /** Throws unless each actor may change the owners of its claims, except those that its own unit has inserted. */
  async assert(changes: readonly WantedChange[]): Promise<void> {
    for (const claimant of new Set(changes.flatMap(({ claimants }) => claimants))) {
      const { actor } = await claimant;
      const existing = changes
        .filter(({ claimants, owner }) => claimants.includes(claimant) && !this.#inserted.has(keyOf(actor, owner)))
        .map(({ owner }) => owner);
      for (const type of new Set(existing.map(({ type: one }) => one))) {
        const ids = existing.filter((owner) => owner.type === type).map(({ id }) => id);
        await this.#ask(actor, type, [...new Set(ids)]);
      }
      const refused = existing.find((owner) => this.#answers.get(keyOf(actor, owner)) !== true);
      if (refused !== undefined) throw refusalOf(actor, refused);
    }
  }

  /** The entities of the written table whose owners a claim of the unit, or of one around it, wants to change. */
  async #watchedBy({ expressionMap: { mainAlias } }: WriteBuilder, unit: UnitOfWork): Promise<Watched[]> {
    const entities = mainAlias?.hasMetadata ? this.#tables.get(mainAlias.metadata.tablePath) : undefined;
    const watched: Watched[] = [];
    for (const entity of entities ?? []) {
      const acting = await Promise.all(claimantsOf(unit, entity.ownerType));
      if (acting.length > 0) watched.push({ entity, actors: acting.map(({ actor }) => actor) });
    }
    return watched;
  }

  async #ask(actor: Actor | null, type: string, ids: readonly string[]): Promise<void> {
    const open = ids.filter((id) => {
      const key = keyOf(actor, { type, id });
      return !this.#answers.has(key) && !this.#inserted.has(key);
    });
    if (open.length === 0) return;
    const allowed = await this.runtime.changeable(actor, type, open);
    for (const id of open) this.#answers.set(keyOf(actor, { type, id }), allowed.has(id));
  }

  /** Only a row that is the owner itself makes a new owner; a row with a parent may belong to an old one. */
  #note(
    builder: WriteBuilder,
    { entity: { metadata, idColumn, ownerType }, actors }: Watched,
    result: unknown,
    unit: UnitOfWork,
  ): void {
    const [key, ...more] = metadata.primaryColumns;
    if (key !== idColumn || more.length > 0 || idColumn.referencedColumn) return;
    const { identifiers } = result as { identifiers: readonly (object | undefined)[] };
    for (const [index, identifier] of identifiers.entries()) {
      const id = ownerIdOf(writtenValue(builder, index, identifier, idColumn));
      if (id === undefined) continue;
      for (const actor of actors) this.#noteInserted(keyOf(actor, { type: ownerType, id }), unit);
    }
  }

  #noteInserted(key: string, unit: UnitOfWork): void {
    if (this.#answers.has(key) || this.#inserted.has(key)) return;
    this.#inserted.add(key);
    unit.transactionState.onUndo(() => this.#inserted.delete(key));
  }
}

/** The actors of the claims on owners of this type, of the unit and of those around it. */
function claimantsOf(unit: UnitOfWork, ownerType: string): Claimant[] {
  const found = new Set<Claimant>();
  for (let at: UnitOfWork | undefined = unit; at; at = at.parent) {
    const claimants = at.peek<ReadonlyMap<string, ReadonlySet<Claimant>>>(CLAIMANTS)?.get(ownerType);
    for (const claimant of claimants ?? []) found.add(claimant);
  }
  return [...found];
}

/** The entity, and the class of its parent where that is the owner. */
function withParent(entity: GuardedEntity): GuardedEntity[] {
  const { referencedColumn } = entity.idColumn;
  if (!referencedColumn) return [entity];
  const { entityMetadata: metadata } = referencedColumn;
  return [entity, { ...entity, ...NO_FIELDS, metadata, idColumn: referencedColumn }];
}

function keyOf(actor: Actor | null, { type, id }: OwnerReference): string {
  return JSON.stringify([actor?.type, actor?.id, type, id]);
}

function refusalOf(actor: Actor | null, { type, id }: OwnerReference): Error {
  const subject = `${type} ${id}`;
  return actor === null ? new AuthenticationRequiredError('update', subject) : new AccessDeniedError('update', subject);
}

/**
 * The actor whose right to change the record a claim has to ask for; then it is asked from now on. Undefined if nothing
 * is asked. `stated` is the field's option; the module's default applies to owner types whose rows are watched.
 */
export function wantChange(
  { unit }: UnitQueue,
  ownerType: string,
  stated: boolean | undefined,
  place: string,
): Claimant | undefined {
  const runtime = TransferRuntime.of(unit.dataSource);
  const isUsual = (): boolean => runtime.validation.authorize && guardedOwners(unit.dataSource, ownerType).length > 0;
  return (stated ?? isUsual()) ? ChangeRights.want(runtime, unit, ownerType, place) : undefined;
}

/** The rows that are there and that the builder is about to write, locked. */
async function rowsToWrite(builder: WriteBuilder, entity: GuardedEntity, manager: EntityManager): Promise<RecordRow[]> {
  const { queryType, onConflict, onUpdate, onIgnore } = builder.expressionMap;
  if (queryType !== 'insert') return rowsOf(builder, entity, manager);
  if (!onConflict && !onUpdate && !onIgnore) return [];
  return rowsMeeting(manager, entity, uniqueConditions(builder, entity, rowsToInsert(builder)), true);
}

/** The value that an insertion has written into a column of one of its rows. */
function writtenValue(
  builder: WriteBuilder,
  index: number,
  identifier: object | undefined,
  column: OwnerColumn,
): unknown {
  return valueIn([identifier, rowsToInsert(builder)[index]], column);
}
