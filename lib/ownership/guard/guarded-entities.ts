import { inspect } from 'node:util';
import type { DataSource, EntityMetadata, ObjectLiteral } from 'typeorm';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { normalizeFileId } from '../../files/file-id.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { keepWith, keptWith } from '../../unit-of-work/typeorm/data-source.js';
import { ownerEntity } from '../owner-entities.js';
import type { OwnerColumn, OwnerClass } from '../owner-entities.js';
import { idsIn } from '../object-index.js';
import { declaredField } from './file-field.decorator.js';
import type { DeclaredField } from './file-field.decorator.js';

/** A column that names files. */
export interface GuardedField extends DeclaredField {
  readonly column: OwnerColumn;
  /** The property, with the way to it through embedded objects. */
  readonly name: string;
}

/** An entity whose rows own the files that their declared fields name. */
export interface GuardedEntity extends OwnerClass {
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
  /**
   * Whether a write must be preceded by a read, to see the files that the row lets go of, or a change of its owner id.
   */
  readonly letsGo: boolean;
}

const known = new WeakMap<EntityMetadata, GuardedEntity | null>();
const ALL = Symbol('nestjs-files:guarded-entities');

/** The guarded entities of the data source. It must be initialized. */
export function guardedEntitiesOf(dataSource: DataSource): readonly GuardedEntity[] {
  let entities = keptWith<readonly GuardedEntity[]>(dataSource, ALL);
  if (!entities || entities.some(({ metadata }) => !dataSource.entityMetadatas.includes(metadata))) {
    entities = dataSource.entityMetadatas.flatMap((metadata) => guardedEntity(metadata) ?? []);
    keepWith(dataSource, ALL, entities);
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

/** A class that owns no files, but shares its table with classes that do, whose rows may be written through it. */
function tableOfOwners(metadata: EntityMetadata): OwnerClass | undefined {
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

/** The content of a field of a row: ids of files, and texts that are not ids. */
export interface NamedFiles {
  readonly ids: readonly string[];
  readonly junk: readonly unknown[];
}

/**
 * A value that is not an id, as a text: also one that JSON made of `{ "toString": 1 }`, which `String()` cannot
 * convert.
 */
export function textOfJunk(value: unknown): string {
  return typeof value === 'object' && value !== null ? inspect(value, { breakLength: Infinity }) : String(value);
}

const NOTHING: NamedFiles = { ids: [], junk: [] };

/**
 * The files that the value of an entity's field names. With a transformer, the stored value is read instead, because
 * the entity's may be anything.
 */
export function filesNamedBy(dataSource: DataSource, { column }: GuardedField, value: unknown): NamedFiles {
  if (value === null || value === undefined || value === '') return NOTHING;
  if (typeof value === 'string') {
    const id = normalizeFileId(value);
    if (id !== undefined) return { ids: [id], junk: [] };
  }
  const read = namedIn(value);
  if (!column.transformer || (read.ids.length > 0 && read.junk.length === 0)) return orWhole(read, value);
  const stored: unknown = dataSource.driver.preparePersistentValue(value, column);
  return orWhole(namedInStored(stored), stored);
}

/**
 * The files that a value, or the items of a list, name. Items that are neither ids nor related objects count, too,
 * because they are stored.
 */
function namedIn(value: unknown): NamedFiles {
  if (!isList(value)) return split(idsIn(value));
  const items: unknown[] = [];
  for (const item of value) if (item !== null && item !== undefined) items.push(idOf(item));
  return split(items);
}

function idOf(item: unknown): unknown {
  if (typeof item === 'string') return item;
  const [id] = isList(item) ? [] : idsIn(item);
  return id ?? item;
}

function isList(value: unknown): value is Iterable<unknown> {
  return Array.isArray(value) || value instanceof Set;
}

function split(values: readonly unknown[]): NamedFiles {
  const ids = new Set<string>();
  const junk: unknown[] = [];
  for (const value of values) {
    const id = typeof value === 'string' ? normalizeFileId(value) : undefined;
    if (id !== undefined) ids.add(id);
    else if (value !== '') junk.push(value);
  }
  return { ids: [...ids], junk };
}

/** A value that is neither an id nor a list names nothing that could be owned. */
function orWhole(named: NamedFiles, value: unknown): NamedFiles {
  if (named.ids.length > 0 || named.junk.length > 0) return named;
  const isEmpty = value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
  return isEmpty || (value instanceof Set && value.size === 0) ? NOTHING : { ids: [], junk: [value] };
}

function namedInStored(stored: unknown): NamedFiles {
  if (typeof stored !== 'string' || normalizeFileId(stored) !== undefined) return namedIn(stored);
  try {
    return namedIn(JSON.parse(stored));
  } catch {
    return namedIn(stored.split(',').map((text) => text.trim()));
  }
}

const INTEGERS = new Set(['smallint', 'integer', 'int', 'bigint', 'mediumint', 'tinyint', 'int2', 'int4', 'int8']);
// Not `char` and `character`: PostgreSQL fills these with spaces.
const TEXTS = new Set(['text', 'varchar', 'character varying']);
const DECIMAL = /^(?:0|-?[1-9]\d*)$/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * The owner id as the database would return it, for a value that the application wrote or looked for. Undefined if the
 * two may differ: then the row has to be read.
 */
export function canonicalId(dataSource: DataSource, column: OwnerColumn, value: unknown): string | undefined {
  if (column.transformer) return undefined;
  const id = ownerIdOf(value);
  if (id === undefined) return undefined;
  const type = dataSource.driver.normalizeType(column);
  if (INTEGERS.has(type)) return DECIMAL.test(id) ? id : undefined;
  if (type === 'uuid') return UUID.test(id.toLowerCase()) ? id.toLowerCase() : undefined;
  // Texts that differ in case, or in trailing spaces, may be equal for a collation.
  const isExact = !column.collation && dialectOf(dataSource).comparesExactly;
  const isWhole = typeof value !== 'number' || Number.isSafeInteger(value);
  return isExact && isWhole && TEXTS.has(type) ? id : undefined;
}
