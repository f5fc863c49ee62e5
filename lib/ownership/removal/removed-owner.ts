import type { QueryRunner, RemoveEvent } from 'typeorm';
import { InvalidDecorationError } from '../../errors/invalid-decoration.error.js';
import { ownerIdOf } from '../id-field.js';
import { ownerEntity } from '../owner-entities.js';
import type { OwnerEntity } from '../owner-entities.js';
import type { OwnerRemovalPolicy } from '../owns-files.decorator.js';

/** An owner that TypeORM removes, and whose files are not to stay as they are. */
export interface RemovedOwner {
  readonly type: string;
  readonly id: string;
  readonly onDelete: Exclude<OwnerRemovalPolicy, 'keep'>;
}

/** The removal of an owner. */
export interface OwnerRemoval {
  readonly event: RemoveEvent<object>;
  readonly owner: OwnerEntity;
  readonly onDelete: RemovedOwner['onDelete'];
}

/** The removal that TypeORM tells of, if it is that of an owner whose files are not to stay as they are. */
export function removalOf(event: RemoveEvent<object>): OwnerRemoval | undefined {
  const owner = ownerOf(event);
  const onDelete = owner?.onDelete ?? 'keep';
  return owner && onDelete !== 'keep' ? { event, owner, onDelete } : undefined;
}

/** Finds out which owners removals are about, also of those that TypeORM knows by their primary key only, as it does orphans. */
export class RemovedOwners {
  readonly #lookedUp = new WeakMap<QueryRunner, Map<string, unknown>>();

  /** The owner that goes. Wants to be called before the removal, too: then a row is there to be asked. */
  async of({ event, owner, onDelete }: OwnerRemoval): Promise<RemovedOwner[]> {
    const value = seenId(event, owner) ?? (await this.#idInRow(event, owner));
    // No row, no owner.
    if (value === undefined) return [];
    const id = ownerIdOf(value);
    if (id === undefined) throw noId(owner);
    return [{ type: owner.ownerType, id, onDelete }];
  }

  async #idInRow({ queryRunner, manager, entityId }: RemoveEvent<object>, owner: OwnerEntity): Promise<unknown> {
    const { metadata, idColumn } = owner;
    const known = this.#lookedUp.get(queryRunner) ?? new Map<string, unknown>();
    this.#lookedUp.set(queryRunner, known);
    const key = `${metadata.name} ${JSON.stringify(entityId)}`;
    if (!idColumn || known.has(key)) return known.get(key);
    const query = manager.createQueryBuilder(metadata.target, 'owner').withDeleted().whereInIds(entityId);
    const row: unknown = await query.select([`owner.${idColumn.propertyPath}`, ...primaryPaths(owner)]).getOne();
    const value: unknown = row === null ? undefined : idColumn.getEntityValue(row as object);
    known.set(key, value);
    return value;
  }
}

export function noId({ metadata }: OwnerEntity): InvalidDecorationError {
  return new InvalidDecorationError(
    '@OwnsFiles()',
    `class ${metadata.name}`,
    'with `onDelete` it needs an id that is a text or a number: a column `id`, one primary column, or what `idField` names.',
  );
}

function ownerOf({ metadata, databaseEntity, entity }: RemoveEvent<object>): OwnerEntity | undefined {
  // Of single-table inheritance, the metadata may be those of the class above.
  const loaded = databaseEntity ?? entity;
  return ownerEntity(metadata, loaded?.constructor) ?? ownerEntity(metadata);
}

/** The id where TypeORM has it in hand. After the removal it has taken it off the entity. */
function seenId({ databaseEntity, entityId }: RemoveEvent<object>, { metadata, idColumn }: OwnerEntity): unknown {
  const value: unknown = databaseEntity && idColumn?.getEntityValue(databaseEntity);
  if (value !== undefined && value !== null) return value;
  const isKey = idColumn?.isPrimary === true && metadata.primaryColumns.length === 1;
  return isKey ? entityId : undefined;
}

function primaryPaths({ metadata }: OwnerEntity): string[] {
  return metadata.primaryColumns.map(({ propertyPath }) => `owner.${propertyPath}`);
}
