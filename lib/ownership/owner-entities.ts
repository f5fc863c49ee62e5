import { getMetadataArgsStorage } from 'typeorm';
import type { DataSource, EntityMetadata } from 'typeorm';
import { ownershipOf } from './owns-files.decorator.js';
import type { OwnerRemovalPolicy, OwnsFilesOptions } from './owns-files.decorator.js';

export type OwnerColumn = EntityMetadata['columns'][number];

/** An entity class whose rows own files. */
export interface OwnerClass {
  readonly metadata: EntityMetadata;
  readonly ownerType: string;
  readonly onDelete: OwnerRemovalPolicy;
  readonly guard: NonNullable<OwnsFilesOptions['guard']>;
  /** The owner's id; none where the class has several primary columns and none called `id`. */
  readonly idColumn: OwnerColumn | undefined;
}

/** The entities whose class, or a class it extends, has `@OwnsFiles()`. */
export function ownerEntitiesOf({ entityMetadatas }: DataSource): OwnerClass[] {
  return entityMetadatas.flatMap((metadata) => ownerEntity(metadata) ?? []);
}

/** The entity as an owner, if it is one. */
export function ownerEntity(metadata: EntityMetadata): OwnerClass | undefined {
  const ownership = ownershipOf(metadata.target);
  if (!ownership) return undefined;
  const { ownerType, onDelete = 'keep', guard = 'always', idField } = ownership;
  return { metadata, ownerType, onDelete, guard, idColumn: idColumnOf(metadata, idField) };
}

function idColumnOf(metadata: EntityMetadata, idField: string | undefined): OwnerColumn | undefined {
  const named = metadata.findColumnWithPropertyName(idField ?? 'id');
  if (named || idField !== undefined) return named;
  return metadata.primaryColumns.length === 1 ? metadata.primaryColumns[0] : undefined;
}

/**
 * The name of the object's entity class, if entities of that class are not owners of this type: another class has it,
 * as `ownerTypes` tells, or the class has another type. Undefined for plain objects.
 */
export function otherEntity(object: object, ownerType: string, ownerTypes: ReadonlySet<string>): string | undefined {
  const entityClass = object.constructor as new (...args: never[]) => object;
  if (entityClass === Object || !isEntityClass(entityClass)) return undefined;
  const declared = ownershipOf(entityClass)?.ownerType;
  if (declared === ownerType) return undefined;
  return declared !== undefined || ownerTypes.has(ownerType) ? entityClass.name : undefined;
}

const known = new WeakMap<object, boolean>();

function isEntityClass(candidate: object): boolean {
  let isEntity = known.get(candidate);
  if (isEntity === undefined) {
    isEntity = getMetadataArgsStorage().tables.some(({ target }) => target === candidate);
    known.set(candidate, isEntity);
  }
  return isEntity;
}
