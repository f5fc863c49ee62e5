import type { DataSource, EntityMetadata } from 'typeorm';
import { ownershipOf } from './owns-files.decorator.js';
import type { OwnerRemovalPolicy, OwnsFilesOptions } from './owns-files.decorator.js';

export type OwnerColumn = EntityMetadata['columns'][number];

/** What entities of the data source own files as. */
export interface OwnerEntity {
  readonly metadata: EntityMetadata;
  readonly ownerType: string;
  readonly onDelete: OwnerRemovalPolicy;
  readonly guard: NonNullable<OwnsFilesOptions['guard']>;
  /** The owner's id; none where the class has several primary columns and none called `id`. */
  readonly idColumn: OwnerColumn | undefined;
}

/** The entities whose class, or a class it extends, has `@OwnsFiles()`. */
export function ownerEntitiesOf({ entityMetadatas }: DataSource): OwnerEntity[] {
  return entityMetadatas.flatMap((metadata) => ownerEntity(metadata) ?? []);
}

/** The entity as an owner, if it is one. */
export function ownerEntity(metadata: EntityMetadata): OwnerEntity | undefined {
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
