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

/** Finds out which owners removals are about, also of those that TypeORM knows by their primary key only, as it does orphans. */
export class RemovedOwners {
  readonly #lookedUp = new WeakMap<QueryRunner, Map<string, unknown>>();

  /** Whether the files of the event's entity are not to stay as they are. */
  concerns(event: RemoveEvent<object>): boolean {
    return (ownerOf(event)?.onDelete ?? 'keep') !== 'keep';
  }

  /** The owner that the event is about. Wants to be called before the removal, too: then a row is there to be asked. */
  async of(event: RemoveEvent<object>): Promise<RemovedOwner[]> {
    const owner = ownerOf(event);
    if (!owner || owner.onDelete === 'keep') return [];
    const { ownerType: type, onDelete } = owner;
    const value = seenId(event, owner) ?? (await this.#idInRow(event, owner));
    const id = ownerIdOf(value);
    // No row, no owner.
    if (value === undefined) return [];
    if (id === undefined) throw noId(owner);
    return [{ type, id, onDelete }];
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
  if (!isKey) return undefined;
  const key: unknown = entityId;
  return typeof key === 'object' && key !== null ? (idColumn.getEntityValue(key) as unknown) : key;
}

function primaryPaths({ metadata }: OwnerEntity): string[] {
  return metadata.primaryColumns.map(({ propertyPath }) => `owner.${propertyPath}`);
}
