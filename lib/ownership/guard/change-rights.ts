import type { EntityManager } from 'typeorm';
import { AccessDeniedError, AuthenticationRequiredError } from '../../errors/access.errors.js';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import type { UnitQueue } from '../../task-queue/unit-queue.js';
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

/**
 * Whether the actor of a unit of work may change the owners that its claims are for. Each is checked before the unit
 * first writes its row: the handler's own writes must not decide whether it may write.
 */
export class ChangeRights {
  readonly #tables = new Map<string, GuardedEntity[]>();
  readonly #types = new Set<string>();
  readonly #inserted = new Set<string>();
  readonly #answers = new Map<string, boolean>();

  private constructor(private readonly runtime: TransferRuntime) {}

  /**
   * Requires the right to change owners of this type; throws if their rows are not watched. Called before the handler.
   */
  static want(runtime: TransferRuntime, { root }: UnitOfWork, ownerType: string, place: string): void {
    const rights = root.slot(RIGHTS, () => new ChangeRights(runtime));
    if (rights.#types.has(ownerType)) return;
    const entities = guardedOwners(root.dataSource, ownerType);
    if (entities.length === 0) {
      const why = `authorize needs the rows of "${ownerType}" to be watched: put @FileField() above the column that names files.`;
      throw new DecorationInvalidError('authorize', place, why);
    }
    rights.#types.add(ownerType);
    const [known] = entities;
    // The row that is the owner may name no files itself.
    const owners = runtime.ownerEntities.flatMap((owner) =>
      known && owner.ownerType === ownerType && owner.idColumn
        ? [{ ...known, ...owner, ...NO_FIELDS, idColumn: owner.idColumn }]
        : [],
    );
    for (const entity of [...owners, ...entities.flatMap(withParent)]) {
      const { tablePath } = entity.metadata;
      rights.#tables.set(tablePath, [...(rights.#tables.get(tablePath) ?? []), entity]);
    }
  }

  /** The rights of the unit, if one of its claims requires them. */
  static find(unit: UnitOfWork | undefined): ChangeRights | undefined {
    return unit?.root.peek<ChangeRights>(RIGHTS);
  }

  /** Does the write, after a check of the owners whose rows exist already. */
  async around(builder: WriteBuilder, unit: UnitOfWork, execute: () => Promise<unknown>): Promise<unknown> {
    const { mainAlias, queryType } = builder.expressionMap;
    const entities = mainAlias?.hasMetadata ? this.#tables.get(mainAlias.metadata.tablePath) : undefined;
    if (!entities) return execute();
    for (const entity of entities) {
      const rows = await rowsToWrite(builder, entity, unit.manager);
      await this.#ask(
        entity.ownerType,
        rows.flatMap(({ ownerId }) => ownerId ?? []),
      );
    }
    const result = await execute();
    if (queryType === 'insert') for (const entity of entities) this.#note(builder, entity, result, unit);
    return result;
  }

  /** Throws unless the actor may change all of them, except those that the unit itself has inserted. */
  async assert(owners: readonly OwnerReference[]): Promise<void> {
    const existing = owners.filter((owner) => !this.#inserted.has(keyOf(owner)));
    for (const type of new Set(existing.map(({ type: one }) => one))) {
      const ids = existing.filter((owner) => owner.type === type).map(({ id }) => id);
      await this.#ask(type, [...new Set(ids)]);
    }
    const refused = existing.find((owner) => this.#answers.get(keyOf(owner)) !== true);
    if (refused === undefined) return;
    const { actor } = await this.runtime.actor();
    const subject = `${refused.type} ${refused.id}`;
    throw actor === null
      ? new AuthenticationRequiredError('update', subject)
      : new AccessDeniedError('update', subject);
  }

  async #ask(type: string, ids: readonly string[]): Promise<void> {
    const open = ids.filter((id) => {
      const key = keyOf({ type, id });
      return !this.#answers.has(key) && !this.#inserted.has(key);
    });
    if (open.length === 0) return;
    const { actor } = await this.runtime.actor();
    const allowed = await this.runtime.changeable(actor, type, open);
    for (const id of open) this.#answers.set(keyOf({ type, id }), allowed.has(id));
  }

  /** Only a row that is the owner itself makes a new owner; a row with a parent may belong to an old one. */
  #note(
    builder: WriteBuilder,
    { metadata, idColumn, ownerType }: GuardedEntity,
    result: unknown,
    unit: UnitOfWork,
  ): void {
    const [key, ...more] = metadata.primaryColumns;
    if (key !== idColumn || more.length > 0 || idColumn.referencedColumn) return;
    const { identifiers } = result as { identifiers: readonly (object | undefined)[] };
    for (const [index, identifier] of identifiers.entries()) {
      const id = ownerIdOf(writtenValue(builder, index, identifier, idColumn));
      if (id === undefined) continue;
      const owner = keyOf({ type: ownerType, id });
      if (this.#answers.has(owner) || this.#inserted.has(owner)) continue;
      this.#inserted.add(owner);
      unit.transactionState.onUndo(() => this.#inserted.delete(owner));
    }
  }
}

/** The entity, and the class of its parent where that is the owner. */
function withParent(entity: GuardedEntity): GuardedEntity[] {
  const { referencedColumn } = entity.idColumn;
  if (!referencedColumn) return [entity];
  const { entityMetadata: metadata } = referencedColumn;
  return [entity, { ...entity, ...NO_FIELDS, metadata, idColumn: referencedColumn }];
}

function keyOf({ type, id }: OwnerReference): string {
  return JSON.stringify([type, id]);
}

/**
 * Whether a claim has to ask for the right to change the record that it is for; then it is asked from now on. `stated`
 * is the field's option; the module's default applies to owner types whose rows are watched.
 */
export function wantChange(
  { unit }: UnitQueue,
  ownerType: string,
  stated: boolean | undefined,
  place: string,
): boolean {
  const runtime = TransferRuntime.of(unit.dataSource);
  const isUsual = (): boolean => runtime.validation.authorize && guardedOwners(unit.dataSource, ownerType).length > 0;
  if (!(stated ?? isUsual())) return false;
  ChangeRights.want(runtime, unit, ownerType, place);
  return true;
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
