import type { DataSource, EntityMetadata, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';
import { DatabaseGuardImpossibleError } from '../../../errors/ownership.errors.js';
import { guardedEntitiesOf, guardedEntity } from '../guarded-entities.js';
import type { GuardedEntity } from '../guarded-entities.js';
import { guardName } from './sql-text.js';
import { idForm, isPlainId } from './stored-ids.js';
import type { IdForm } from './stored-ids.js';
import { storedTable } from './stored-table.js';
import type { StoredColumn, StoredTable } from './stored-table.js';
import { dataSourceOf } from '../../../unit-of-work/typeorm/data-source.js';

/** A table whose rows name files. */
export interface GuardedTable {
  readonly table: StoredTable;
  /** The prefix of the names of its functions and triggers. */
  readonly name: string;
  readonly keys: readonly StoredColumn[];
  /** The classes whose rows are in it: several with single table inheritance. */
  readonly classes: readonly GuardedClass[];
}

/** What rows of one class are. */
export interface GuardedClass {
  readonly entity: string;
  readonly ownerType: string;
  readonly id: StoredColumn;
  /** Whether no two rows have the same owner id. */
  readonly isOneRow: boolean;
  readonly fields: readonly StoredField[];
  /** Which rows of the table they are; none where all are. */
  readonly kind: RowKind | undefined;
}

export interface StoredField {
  readonly name: string;
  readonly column: StoredColumn;
  readonly form: IdForm;
}

/** Rows whose discriminator is one of these values; or none of them. */
export interface RowKind {
  readonly column: StoredColumn;
  readonly values: readonly string[];
  readonly isOneOfThem: boolean;
}

/** The tables of these entities as the database has them now. */
export async function guardedTables(
  runner: QueryRunner,
  entities: readonly EntityTarget<ObjectLiteral>[],
): Promise<GuardedTable[]> {
  const dataSource = dataSourceOf(runner);
  const byPath = new Map<string, EntityMetadata>();
  for (const entity of entities) {
    const metadata = dataSource.getMetadata(entity);
    if (!guardedEntity(metadata))
      throw new DatabaseGuardImpossibleError(metadata.name, 'it has no column with @FileField().');
    byPath.set(metadata.tablePath, metadata);
  }
  const tables: GuardedTable[] = [];
  for (const [path, metadata] of byPath) {
    const table = await storedTable(runner, metadata);
    const classes = guardedEntitiesOf(dataSource).filter((entity) => entity.metadata.tablePath === path);
    const described = classes
      .map((entity) => describe(dataSource, table, entity))
      .filter(({ fields }) => fields.length > 0);
    if (described.length === 0)
      throw new DatabaseGuardImpossibleError(metadata.name, `${path} has none of its columns with @FileField() yet.`);
    const keys = metadata.primaryColumns.map((column) => table.get(column));
    tables.push({ table, name: guardName(table.schema, table.name), keys, classes: described });
  }
  return tables;
}

function describe(dataSource: DataSource, table: StoredTable, entity: GuardedEntity): GuardedClass {
  const { metadata, ownerType, idColumn, isOneRow } = entity;
  const id = table.get(idColumn);
  const refuse = (property: string, what: string) =>
    new DatabaseGuardImpossibleError(
      metadata.name,
      `the transformer of ${property} stores ${what} in a form that only the application can read. Leave the class out.`,
    );
  if (!isPlainId(dataSource, idColumn, id)) throw refuse(idColumn.propertyPath, 'the owner id');
  // A column that a later migration adds is guarded by that one.
  const fields = entity.fields.flatMap((field): StoredField[] => {
    const column = table.find(field.column);
    if (!column) return [];
    const form = idForm(dataSource, field, column);
    if (!form) throw refuse(field.name, 'ids');
    return [{ name: field.name, column, form }];
  });
  return { entity: metadata.name, ownerType, id, isOneRow, fields, kind: kindOf(table, metadata) };
}

function kindOf(table: StoredTable, metadata: EntityMetadata): RowKind | undefined {
  const { discriminatorColumn, discriminatorValue, childEntityMetadatas, tableType } = metadata;
  if (!discriminatorColumn) return undefined;
  const column = table.get(discriminatorColumn);
  if (tableType === 'entity-child') return { column, values: [String(discriminatorValue)], isOneOfThem: true };
  const values = childEntityMetadatas.map((child) => String(child.discriminatorValue));
  return values.length === 0 ? undefined : { column, values, isOneOfThem: false };
}
