import type { EntityManager, EntityMetadata, QueryRunner, RemoveEvent, SelectQueryBuilder } from 'typeorm';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import { guardedEntity } from '../guard/guarded-entities.js';
import { ownerEntity } from '../owner-entities.js';
import type { OwnerClass } from '../owner-entities.js';
import type { OwnerRemovalPolicy } from '../owns-files.decorator.js';

/** An owner that TypeORM removes and whose `onDelete` is not `'keep'`. */
export interface RemovedOwner {
  readonly type: string;
  readonly id: string;
  readonly onDelete: Exclude<OwnerRemovalPolicy, 'keep'>;
}

/** Whether the removal may concern an owner with another policy than `keep`. */
export function mayConcern(event: RemoveEvent<object>): boolean {
  const { metadata } = event;
  const loaded = loadedOf(event);
  // For an orphan, only the class that the relation declares is known; the entity may be of a subclass.
  const owners = loaded
    ? [ownerOf(metadata, loaded)]
    : [metadata, ...metadata.childEntityMetadatas].map((one) => ownerOf(one));
  return owners.some((owner) => (owner?.onDelete ?? 'keep') !== 'keep');
}

/** Finds the owners that are removed, also those that TypeORM knows only by their primary key, such as orphans. */
export class RemovedOwners {
  readonly #lookedUp = new WeakMap<QueryRunner, Map<string, unknown>>();

  /** The removed owner. Must also be called before the removal, while the row can still be read. */
  async of(event: RemoveEvent<object>): Promise<RemovedOwner[]> {
    const owner = ownerOf(event.metadata, loadedOf(event) ?? (await this.#rowOfSubclass(event)));
    const onDelete = owner?.onDelete ?? 'keep';
    if (!owner || onDelete === 'keep') return [];
    const value = seenId(event, owner) ?? (await this.#idInRow(event, owner));
    // No row, no owner.
    if (value === undefined) return [];
    const id = ownerIdOf(value);
    if (id === undefined) throw noId(owner);
    return [{ type: owner.ownerType, id, onDelete }];
  }

  async #rowOfSubclass(event: RemoveEvent<object>): Promise<object | undefined> {
    const { manager, metadata, entityId } = event;
    if (metadata.childEntityMetadatas.length === 0) return undefined;
    const find = () => rowOf(manager, metadata, entityId).getOne();
    return ((await this.#once(event, `row of ${metadata.name}`, find)) as object | null) ?? undefined;
  }

  #idInRow(event: RemoveEvent<object>, owner: OwnerClass): Promise<unknown> {
    const { metadata, idColumn } = owner;
    return this.#once(event, metadata.name, async () => {
      if (!idColumn) return undefined;
      const paths = [`owner.${idColumn.propertyPath}`, ...primaryPaths(owner)];
      const row: unknown = await rowOf(event.manager, metadata, event.entityId).select(paths).getOne();
      return row === null ? undefined : (idColumn.getEntityValue(row as object) as unknown);
    });
  }

  /** Found before the removal and remembered, because the row is gone after it. */
  async #once({ queryRunner, entityId }: RemoveEvent<object>, what: string, find: () => Promise<unknown>) {
    const known = this.#lookedUp.get(queryRunner) ?? new Map<string, unknown>();
    this.#lookedUp.set(queryRunner, known);
    const key = `${what} ${keyOf(entityId)}`;
    if (!known.has(key)) known.set(key, await find());
    return known.get(key);
  }
}

export function noId({ metadata }: OwnerClass): DecorationInvalidError {
  return new DecorationInvalidError(
    '@OwnsFiles()',
    `class ${metadata.name}`,
    'with `onDelete` it needs an id that is a text or a number: a column `id`, one primary column, or what `idField` names. ' +
      "With a composite key, add a separate column: `@Column('uuid') @Generated('uuid') id`.",
  );
}

/** JSON has no bigint. `7n` and `'7'` are the key of the same row. */
function keyOf(id: unknown): string {
  return JSON.stringify(id, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function loadedOf({ databaseEntity, entity }: RemoveEvent<object>): object | undefined {
  return (databaseEntity as object | undefined) ?? entity;
}

function ownerOf(metadata: EntityMetadata, loaded?: object): OwnerClass | undefined {
  const found = loaded ? metadata.findInheritanceMetadata(loaded) : metadata;
  // Guarded entities are left out: `guard/removed-records.ts` deals with their files.
  return guardedEntity(found) ? undefined : ownerEntity(found);
}

function rowOf(manager: EntityManager, { target }: EntityMetadata, id: unknown): SelectQueryBuilder<object> {
  return manager.createQueryBuilder<object>(target, 'owner').withDeleted().whereInIds(id).cache(false);
}

/** The owner's id, if the event has it. Not of `entity`, from which TypeORM deletes it in the removal. */
function seenId({ databaseEntity, entityId }: RemoveEvent<object>, { metadata, idColumn }: OwnerClass): unknown {
  const value: unknown = databaseEntity && idColumn?.getEntityValue(databaseEntity);
  if (value !== undefined && value !== null) return value;
  const isKey = idColumn?.isPrimary === true && metadata.primaryColumns.length === 1;
  return isKey ? entityId : undefined;
}

function primaryPaths({ metadata }: OwnerClass): string[] {
  return metadata.primaryColumns.map(({ propertyPath }) => `owner.${propertyPath}`);
}
