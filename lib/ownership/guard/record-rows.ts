import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { sendSql, inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { quoted } from '../../unit-of-work/typeorm/table-names.js';
import { comparison } from '../owner-existence.js';
import type { OwnerColumn } from '../owner-entities.js';
import { entityOfRow, heirsInTable, filesNamedBy } from './guarded-entities.js';
import type { GuardedEntity, GuardedField, NamedFiles } from './guarded-entities.js';
import { keyOf } from './written-row.js';

/** A row of a guarded entity as the database has it. */
export interface RecordRow {
  readonly entity: GuardedEntity;
  /** The primary key, by property. */
  readonly key: ObjectLiteral;
  readonly ownerId: string | undefined;
  readonly values: FieldValues;
  /** What its columns that refer to a parent hold, by their names. */
  readonly parents: ReadonlyMap<string, unknown>;
}

/** What fields of a row name. */
export type FieldValues = ReadonlyMap<GuardedField, NamedFiles>;

/** An SQL condition and its parameters. */
export interface Condition {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** What a column is compared with: a value, or SQL. */
export type Compared = readonly [column: OwnerColumn, value: unknown];

/** SQL in the place of a value. */
export class SqlValue {
  constructor(readonly sql: string) {}
}

const ROWS_PER_STATEMENT = 1_000;

// A key of several columns is a term of its own, and SQLite takes no condition with more than 1000 of them.
const TERMS_PER_STATEMENT = 500;

/**
 * The rows with these primary keys; missing ones are left out. One statement for a thousand of them, or for 500 of
 * several columns.
 */
export async function rowsByKey(
  manager: EntityManager,
  entity: GuardedEntity,
  keys: readonly ObjectLiteral[],
  lock = false,
): Promise<RecordRow[]> {
  const { primaryColumns } = entity.metadata;
  const compared = keys.map((key) => primaryColumns.map((column): Compared => [column, column.getEntityValue(key)]));
  return rowsMeeting(manager, entity, keyConditions(dataSourceOf(manager), compared), lock);
}

/** The rows that meet one of the conditions, each once. One statement for each of them. */
export async function rowsMeeting(
  manager: EntityManager,
  entity: GuardedEntity,
  conditions: readonly Condition[],
  lock: boolean,
): Promise<RecordRow[]> {
  const rows = new Map<string, RecordRow>();
  for (const condition of conditions) {
    for (const row of await readRows(manager, entity, condition, lock)) rows.set(keyOf(row.entity, row.key), row);
  }
  return [...rows.values()];
}

/** The rows whose owner id is one of these. */
export async function rowsOfOwners(
  manager: EntityManager,
  entity: GuardedEntity,
  ownerIds: readonly string[],
  lock = false,
): Promise<RecordRow[]> {
  const rows: RecordRow[] = [];
  for (const chunk of inChunks(ownerIds, ROWS_PER_STATEMENT)) {
    const where = ofOwners(dataSourceOf(manager), entity, chunk);
    const found = where ? await readRows(manager, entity, where, lock) : [];
    // MySQL finds 1 by `1abc`, and `a` by `A`.
    const asked = new Set<string | undefined>(chunk);
    for (const row of found) if (row.entity.ownerType === entity.ownerType && asked.has(row.ownerId)) rows.push(row);
  }
  return rows;
}

/**
 * As `rowsOfOwners`, with their current state: in a transaction with a snapshot, they are locked, which shows later
 * commits, or on PostgreSQL fails with a serialization error if they were changed.
 */
export function latestRowsOfOwners(
  { unit, manager }: OpenTransaction,
  entity: GuardedEntity,
  ownerIds: readonly string[],
): Promise<RecordRow[]> {
  return rowsOfOwners(manager, entity, ownerIds, unit?.isolation !== 'READ COMMITTED');
}

/**
 * The rows that name one of the files in a column of one id, and those of the owners, which may name some in a list.
 * One statement for a thousand files. Found by index; columns with lists are not searched.
 */
export async function rowsNaming(
  manager: EntityManager,
  entity: GuardedEntity,
  files: readonly { readonly fileId: string; readonly ownerId: string | null }[],
): Promise<RecordRow[]> {
  const dataSource = dataSourceOf(manager);
  const columns = entity.fields.map(({ column }) => column).filter((column) => !isList(column));
  const rows: RecordRow[] = [];
  for (const chunk of inChunks(files, ROWS_PER_STATEMENT)) {
    const fileIds = [...new Set(chunk.map(({ fileId }) => fileId))];
    const ownerIds = [...new Set(chunk.flatMap(({ ownerId }) => ownerId ?? []))];
    const conditions: Condition[] = [];
    const used = (): number => conditions.flatMap(({ parameters }) => parameters).length;
    for (const column of columns) {
      const stored = storedFiles(dataSource, column, fileIds);
      if (stored.length > 0) conditions.push(anyOf(dataSource, column, stored, used()));
    }
    conditions.push(...[ofOwners(dataSource, entity, ownerIds, used()) ?? []].flat());
    if (conditions.length === 0) continue;
    const sql = conditions.map((condition) => `(${condition.sql})`).join(' OR ');
    const parameters = conditions.flatMap((condition) => condition.parameters);
    for (const row of await readRows(manager, entity, { sql, parameters }, false)) {
      if (row.entity.ownerType === entity.ownerType) rows.push(row);
    }
  }
  return rows;
}

/** That the owner id is one of these; undefined if none of them can be in the column. */
function ofOwners(
  dataSource: DataSource,
  { idColumn }: GuardedEntity,
  ownerIds: readonly string[],
  used = 0,
): Condition | undefined {
  const { isCast, comparable } = comparison(dataSource, idColumn);
  const isText = isCast && !idColumn.transformer;
  const stored = isText ? ownerIds : ownerIds.map((id) => bound(dataSource, idColumn, id));
  const possible = stored.filter((id) => comparable(String(id)));
  if (possible.length === 0) return undefined;
  // A transformer may store bytes, which are not compared as a text.
  const texts = possible.filter((id) => typeof id === 'string');
  const isCompared = isCast && texts.length === possible.length;
  return isCompared ? anyText(dataSource, idColumn, texts, used) : anyOf(dataSource, idColumn, possible, used);
}

/** The ids as the column has them, without those that it cannot have: its transformer may take lists alone. */
function storedFiles(dataSource: DataSource, column: OwnerColumn, fileIds: readonly string[]): unknown[] {
  if (!column.transformer) return fileIds.map((id) => bound(dataSource, column, id));
  const { comparable } = comparison(dataSource, column);
  return fileIds.flatMap((id) => {
    try {
      const stored = bound(dataSource, column, id);
      return comparable(String(stored)) ? [stored] : [];
    } catch {
      return [];
    }
  });
}

/** Whether the column can hold several ids. */
export function isList({ isArray, type }: OwnerColumn): boolean {
  return isArray || type === 'simple-array' || type === 'simple-json' || type === 'json' || type === 'jsonb';
}

/** Reads rows, soft-removed or not, with their files. Locks them until the transaction ends, if the database can. */
export async function readRows(
  manager: EntityManager,
  entity: GuardedEntity,
  where: Condition,
  lock: boolean,
): Promise<RecordRow[]> {
  const dataSource = dataSourceOf(manager);
  const { metadata } = entity;
  const columns = columnsOf(entity).map((column) => selected(dataSource, column));
  const table = quoted(dataSource, metadata.tablePath);
  const { sql, parameters } = ofClass(dataSource, entity, where);
  const select = `SELECT ${columns.join(', ')} FROM ${table} WHERE ${sql}${lock ? dialectOf(dataSource).forUpdate : ''}`;
  const rows: ObjectLiteral[] = await sendSql(manager, select, parameters);
  return rows.map((row) => toRecord(dataSource, entityOfRow(entity, row), row));
}

/** The column in a list of selected ones, with the value that `prepareHydratedValue` takes. */
export function selected(dataSource: DataSource, column: OwnerColumn): string {
  const { driver } = dataSource;
  return dialectOf(dataSource).selected(driver.escape(column.databaseName), driver.normalizeType(column));
}

/** The condition, and that a row is of this class or of one that extends it, where its table has rows of others. */
function ofClass({ driver }: DataSource, { metadata }: GuardedEntity, { sql, parameters }: Condition): Condition {
  const { discriminatorColumn, parentEntityMetadata } = metadata;
  if (!discriminatorColumn || !parentEntityMetadata) return { sql, parameters };
  const classes = [metadata, ...heirsInTable(metadata)].map(({ discriminatorValue }) => discriminatorValue);
  const places = classes.map((_, index) => driver.createParameter('', parameters.length + index));
  const isOne = `${driver.escape(discriminatorColumn.databaseName)} IN (${places.join(', ')})`;
  return { sql: `(${sql}) AND ${isOne}`, parameters: [...parameters, ...classes] };
}

/** That a row has the values of one of these keys: one condition for as many keys as a statement takes. */
export function keyConditions(dataSource: DataSource, keys: readonly (readonly Compared[])[]): Condition[] {
  const size = keys.every((key) => key.length === 1) ? ROWS_PER_STATEMENT : TERMS_PER_STATEMENT;
  return [...inChunks(keys, size)].map((chunk) => anyKey(dataSource, chunk));
}

function anyKey(dataSource: DataSource, keys: readonly (readonly Compared[])[]): Condition {
  const { driver } = dataSource;
  const parameters: unknown[] = [];
  const place = ([column, value]: Compared): string => {
    if (value instanceof SqlValue) return `(${value.sql})`;
    return driver.createParameter('', parameters.push(bound(dataSource, column, value)) - 1);
  };
  const singles = keys.flatMap((key) => (key.length === 1 ? key : []));
  const lists = [...new Set(singles.map(([column]) => column))].map((column) => {
    const places = singles.filter(([one]) => one === column).map(place);
    return `${driver.escape(column.databaseName)} IN (${places.join(', ')})`;
  });
  const terms = keys.flatMap((key) => {
    if (key.length === 1) return [];
    return `(${key.map((one) => `${driver.escape(one[0].databaseName)} = ${place(one)}`).join(' AND ')})`;
  });
  return { sql: [...lists, ...terms].join(' OR '), parameters };
}

function anyOf({ driver }: DataSource, column: OwnerColumn, parameters: readonly unknown[], used: number): Condition {
  const places = parameters.map((_, index) => driver.createParameter('', used + index));
  return { sql: `${driver.escape(column.databaseName)} IN (${places.join(', ')})`, parameters };
}

/**
 * The value as a parameter. TypeORM writes whole numbers into its SQL. Bound, they are reals to better-sqlite3, and
 * texts like `7.0` to a column of texts.
 */
export function bound({ driver }: DataSource, column: OwnerColumn, value: unknown): unknown {
  const prepared: unknown = driver.preparePersistentValue(value, column);
  return Number.isSafeInteger(prepared) ? String(prepared) : prepared;
}

function anyText(
  { driver }: DataSource,
  { databaseName }: OwnerColumn,
  values: readonly string[],
  used: number,
): Condition {
  const places = values.map((_, index) => driver.createParameter('', used + index));
  return { sql: `CAST(${driver.escape(databaseName)} AS text) IN (${places.join(', ')})`, parameters: values };
}

/** The content of a row, of any class of the table. */
function columnsOf(entity: GuardedEntity): OwnerColumn[] {
  const { primaryColumns, discriminatorColumn } = entity.metadata;
  const own = [entity, ...entity.heirs].flatMap(({ idColumn, fields, parentColumns }) => {
    return [idColumn, ...fields.map(({ column }) => column), ...parentColumns];
  });
  const all = [...primaryColumns, ...own, discriminatorColumn].filter((column) => column !== undefined);
  return [...new Map(all.map((column) => [column.databaseName, column])).values()];
}

function toRecord(dataSource: DataSource, entity: GuardedEntity, row: ObjectLiteral): RecordRow {
  const valueOf = (column: OwnerColumn): unknown =>
    dataSource.driver.prepareHydratedValue(row[column.databaseName], column);
  const key: ObjectLiteral = {};
  for (const column of entity.metadata.primaryColumns) column.setEntityValue(key, valueOf(column));
  return {
    entity,
    key,
    ownerId: ownerIdOf(valueOf(entity.idColumn)),
    values: new Map(
      entity.fields.map((field) => [field, filesNamedBy(dataSource, field, valueOf(field.column))] as const),
    ),
    parents: new Map(entity.parentColumns.map(({ databaseName }) => [databaseName, row[databaseName] as unknown])),
  };
}
