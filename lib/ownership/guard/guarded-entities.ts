import type { DataSource, EntityMetadata, ObjectLiteral } from 'typeorm';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { ownerEntity } from '../owner-entities.js';
import type { OwnerColumn, OwnerEntity } from '../owner-entities.js';
import { declaredField } from './file-field.decorator.js';
import type { DeclaredField } from './file-field.decorator.js';

/** A column that names files. */
export interface GuardedField extends DeclaredField {
  readonly column: OwnerColumn;
  /** The property, with the way to it through embedded objects. */
  readonly name: string;
}

/** An entity whose rows own the files that their declared fields name. */
export interface GuardedEntity extends OwnerEntity {
  readonly idColumn: OwnerColumn;
  readonly fields: readonly GuardedField[];
  /** The guarded classes that extend it and have their rows in the same table. */
  readonly heirs: readonly GuardedEntity[];
  /** Whether writes outside of units of work are checked, too. */
  readonly isGuardedOutside: boolean;
  /** Whether no two rows have the same owner id. */
  readonly isOneRow: boolean;
  /** Columns that refer to a parent. */
  readonly parentColumns: readonly OwnerColumn[];
  /** Whether what the row lets go of, or a change of its owner id, has to be seen before it is written. */
  readonly letsGo: boolean;
}

const known = new WeakMap<EntityMetadata, GuardedEntity | null>();
const all = new WeakMap<DataSource, readonly GuardedEntity[]>();

/** The guarded entities of the data source. It must be initialized. */
export function guardedEntitiesOf(dataSource: DataSource): readonly GuardedEntity[] {
  let entities = all.get(dataSource);
  if (!entities || entities.some(({ metadata }) => !dataSource.entityMetadatas.includes(metadata))) {
    entities = dataSource.entityMetadatas.flatMap((metadata) => guardedEntity(metadata) ?? []);
    all.set(dataSource, entities);
  }
  return entities;
}

/** The guarded entities whose rows are owners of this type. */
export function guardedOwners(dataSource: DataSource, ownerType: string): readonly GuardedEntity[] {
  return guardedEntitiesOf(dataSource).filter((entity) => entity.ownerType === ownerType);
}

/** Whether an owner of the type may have several guarded rows: of one class, or of several. */
export function isSharedOwner(dataSource: DataSource, ownerType: string): boolean {
  const owners = guardedOwners(dataSource, ownerType);
  const tables = new Set(owners.map(({ metadata }) => metadata.tablePath));
  return tables.size > 1 || owners.some(({ isOneRow }) => !isOneRow);
}

/** The entity as a guarded one, if it has a declared field. */
export function guardedEntity(metadata: EntityMetadata): GuardedEntity | undefined {
  let entity = known.get(metadata);
  if (entity === undefined) known.set(metadata, (entity = describe(metadata) ?? null));
  return entity ?? undefined;
}

/** The classes that extend this one and have their rows in the same table. */
export function heirsInTable({ childEntityMetadatas, tablePath }: EntityMetadata): EntityMetadata[] {
  return childEntityMetadatas.filter((child) => child.tablePath === tablePath);
}

/** The entity that a row is, where several share its table. */
export function entityOfRow(entity: GuardedEntity, row: ObjectLiteral): GuardedEntity {
  const { discriminatorColumn } = entity.metadata;
  const children = heirsInTable(entity.metadata);
  if (!discriminatorColumn || children.length === 0) return entity;
  const value: unknown = row[discriminatorColumn.databaseName];
  const child = children.find(({ discriminatorValue }) => String(discriminatorValue) === String(value));
  return (child && guardedEntity(child)) ?? entity;
}

function describe(metadata: EntityMetadata): GuardedEntity | undefined {
  const fields = metadata.columns.flatMap((column) => fieldOf(column) ?? []);
  if (fields.length === 0) return undefined;
  const refuse = (why: string) => new DecorationInvalidError('@FileField()', `class ${metadata.name}`, why);
  const owner = ownerEntity(metadata) ?? tableOfOwners(metadata);
  if (!owner)
    throw refuse("it does not say what its rows own files as. Add @OwnsFiles('its-owner-type') to the class.");
  const { idColumn } = owner;
  if (!idColumn) {
    throw refuse(
      'its owner id is not one column: it has several primary columns and none called `id`. Name a unique one: ' +
        `@OwnsFiles('${owner.ownerType}', { idField: '…' }).`,
    );
  }
  const isOneRow = isAlone(metadata, idColumn);
  return {
    ...owner,
    idColumn,
    fields,
    isGuardedOutside: owner.guard !== 'units',
    isOneRow,
    parentColumns: metadata.manyToOneRelations
      .flatMap(({ joinColumns }) => joinColumns)
      .filter((column) => !fields.some((field) => field.column === column)),
    letsGo: fields.some(({ onReplace }) => onReplace !== 'keep'),
    heirs: heirsInTable(metadata).flatMap((heir) => guardedEntity(heir) ?? []),
  };
}

/** A class that owns nothing itself, but has classes in its table that do: writes of their rows may go through it. */
function tableOfOwners(metadata: EntityMetadata): OwnerEntity | undefined {
  if (!heirsInTable(metadata).some((child) => ownerEntity(child))) return undefined;
  return { metadata, ownerType: '', onDelete: 'keep', guard: 'always', idColumn: metadata.primaryColumns[0] };
}

/** The field that the column is, if it was declared: by its own property, or by that of the relation it joins. */
function fieldOf(column: OwnerColumn): GuardedField | undefined {
  const { relationMetadata, embeddedMetadata, target, propertyName, propertyPath } = column;
  const classes = [target, embeddedMetadata?.type];
  const own = firstDeclared(classes, propertyName);
  if (own) return { ...own, column, name: propertyPath };
  const related =
    relationMetadata && firstDeclared([relationMetadata.target, ...classes], relationMetadata.propertyName);
  return related && { ...related, column, name: relationMetadata.propertyPath };
}

function firstDeclared(classes: readonly unknown[], property: string): DeclaredField | undefined {
  for (const one of classes) {
    const declared = declaredField(one, property);
    if (declared) return declared;
  }
  return undefined;
}

/** Whether an owner id is that of one row: its column is the primary key, or unique. */
function isAlone({ primaryColumns, uniques, indices }: EntityMetadata, idColumn: OwnerColumn): boolean {
  const covers = (columns: readonly OwnerColumn[]) => columns.length === 1 && columns[0] === idColumn;
  return (
    covers(primaryColumns) ||
    uniques.some(({ columns }) => covers(columns)) ||
    indices.some(({ isUnique, columns }) => isUnique && covers(columns))
  );
}
