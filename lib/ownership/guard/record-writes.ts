import { isDeepStrictEqual } from 'node:util';
import { QueryFailedError } from 'typeorm';
import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/guard.errors.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/connected.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import type { OwnerColumn } from '../owner-entities.js';
import { canonicalId } from './canonical-id.js';
import { guardedEntity } from './guarded-entities.js';
import type { GuardedEntity, GuardedField } from './guarded-entities.js';
import { filesNamedBy, textOfJunk } from './named-files.js';
import type { NamedFiles } from './named-files.js';
import type { RecordLedger } from './record-ledger.js';
import { writtenKeys } from './written-keys.js';
import { keyCondition, readRows, rowsByKey } from './record-rows.js';
import type { Condition, FieldValues, RecordRow } from './record-rows.js';

type Values = Readonly<Record<string, unknown>>;
type Execute = () => Promise<unknown>;

/**
 * Does the write. `onFailure` is called where it may have been done although it rejects: a listener failed after the statement. A statement that
 * was not made, or that fails itself, has done nothing.
 */
async function done<T>(builder: WriteBuilder, execute: Execute, onFailure: () => void): Promise<T> {
  const make = builder.getQueryAndParameters;
  let made: [sql: string, parameters: unknown[]] | undefined;
  builder.getQueryAndParameters = () => (made = make.call(builder));
  try {
    return (await execute()) as T;
  } catch (error) {
    if (made && !isFailureOf(made, error)) onFailure();
    throw error;
  } finally {
    builder.getQueryAndParameters = make;
  }
}

/** Whether it is this statement that failed, and not one of a listener. SQLite's query runner makes numbers of booleans. */
function isFailureOf([sql, parameters]: [sql: string, parameters: unknown[]], error: unknown): boolean {
  if (!(error instanceof QueryFailedError) || error.query !== sql) return false;
  const asSent = (values: unknown[]): unknown[] =>
    values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
  return isDeepStrictEqual(asSent((error.parameters ?? []) as unknown[]), asSent(parameters));
}

/** What a write does to a guarded entity; undefined where it does not touch what is guarded. */
export interface GuardedWrite {
  readonly entity: GuardedEntity;
  /** Does the write, and notes it. Needs the builder's query runner to be in a transaction. */
  run(execute: Execute, ledger: RecordLedger, manager: EntityManager): Promise<unknown>;
}

/** What the builder writes, if it writes a declared field, an owner id, or the existence of a guarded row. */
export function guardedWrite(builder: WriteBuilder): GuardedWrite | undefined {
  const { mainAlias, queryType } = builder.expressionMap;
  if (!mainAlias?.hasMetadata) return undefined;
  const entity = guardedEntity(mainAlias.metadata);
  if (!entity) return undefined;
  if (queryType === 'insert') return insertion(builder, entity);
  if (queryType === 'update') return update(builder, entity);
  if (queryType === 'delete') return { entity, run: (...args) => deleteRows(builder, entity, ...args) };
  if (queryType === 'restore') return { entity, run: (...args) => recoverRows(builder, entity, ...args) };
  return undefined;
}

function insertion(builder: WriteBuilder, entity: GuardedEntity): GuardedWrite | undefined {
  const { insertFromSelect, onConflict, onIgnore, onUpdate } = builder.expressionMap;
  if (insertFromSelect)
    throw new RecordWriteUnseenError(entity.metadata.name, `INSERT … SELECT into ${entity.metadata.name}`);
  const rows = rowsToInsert(builder);
  if (onConflict || onUpdate || onIgnore) {
    return { entity, run: (...args) => upsertRows(builder, entity, rows, ...args) };
  }
  const values = (): Written[] => rows.map((row) => writtenValues(dataSourceOf(builder), entity, row));
  const concerns = values().some((row) => row.expressions || row.choosesId || namesAny(row.fields));
  if (!concerns && !mayBeHeard(builder, 'Insert')) return undefined;
  return { entity, run: (execute, ledger) => insertRows(builder, entity, rows, execute, ledger) };
}

function rowsToInsert({ expressionMap: { valuesSet } }: WriteBuilder): readonly Values[] {
  return (Array.isArray(valuesSet) ? valuesSet : [valuesSet ?? {}]) as readonly Values[];
}

async function insertRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  given: readonly Values[],
  execute: Execute,
  ledger: RecordLedger,
): Promise<unknown> {
  const rows = wantKeys(builder, given);
  let values: Written[] = [];
  beforeSql(builder, () => (values = rows.map((row) => writtenValues(dataSourceOf(builder), entity, row))));
  const note = (result?: { identifiers: ObjectLiteral[]; generatedMaps: ObjectLiteral[] }): void => {
    for (const [index, row] of rows.entries()) {
      const whole = [row, result?.generatedMaps[index], result?.identifiers[index]];
      const { metadata, idColumn } = entity;
      const key: ObjectLiteral = {};
      for (const column of metadata.primaryColumns) column.setEntityValue(key, valueIn(whole, column));
      const { fields, expressions, choosesId } = values[index] as Written;
      const ownerId = canonicalId(dataSourceOf(builder), idColumn, valueIn(whole, idColumn));
      ledger.inserted(entity, key, ownerId, fields, choosesId);
      if (expressions || !result) ledger.unsure(entity, key);
    }
  };
  const result = await done<Parameters<typeof note>[0]>(builder, execute, () => {
    // TypeORM has put the keys into the rows by then, where the database gives them.
    const { primaryColumns } = entity.metadata;
    const isKnown = (row: Values): boolean => primaryColumns.every((column) => valueIn([row], column) !== undefined);
    if (rows.every(isKnown)) note();
    else ledger.refuse(failedAfterWrite(entity));
  });
  note(result);
  return result;
}

function failedAfterWrite({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'Let the error roll the transaction back, or do the write in a nested transaction.';
  return new RecordWriteUnseenError(name, `An insertion into ${name} that a listener failed after`, remedy);
}

/** Lets the keys be read back, but not into the caller's objects where these are to be left alone. Gives the rows as they are inserted. */
function wantKeys({ expressionMap }: WriteBuilder, rows: readonly Values[]): readonly Values[] {
  if (expressionMap.updateEntity) return rows;
  const copies = rows.map((row) => Object.assign(Object.create(Object.getPrototypeOf(row) as object) as object, row));
  Object.assign(expressionMap, { updateEntity: true, valuesSet: copies });
  return copies;
}

/** Rows that are inserted or, where one is there already, updated or left alone: they are known by their unique values alone. */
async function upsertRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  rows: readonly Values[],
  execute: Execute,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<unknown> {
  const dataSource = dataSourceOf(builder);
  const known = uniqueCondition(dataSource, entity, rows);
  const before = known ? await readRows(manager, entity, known, true) : [];
  for (const record of before) ledger.seen(record);
  const inserted = wantKeys(builder, rows);
  let where = known;
  beforeSql(builder, () => (where = uniqueCondition(dataSource, entity, inserted)));
  const result = await done<{ identifiers: (ObjectLiteral | undefined)[] }>(builder, execute, () =>
    ledger.refuse(failedAfterWrite(entity)),
  );
  // A listener may have given the unique value: then nobody knows which of the rows were there.
  const isAsBefore = JSON.stringify(where) === JSON.stringify(known);
  const after = where ? await readRows(manager, entity, where, true) : [];
  const keys = result.identifiers.filter((key) => key && entity.metadata.hasAllPrimaryKeys?.(key));
  const byKey = await rowsByKey(manager, entity, keys as ObjectLiteral[]);
  const wasThere = new Set(before.map(({ key }) => JSON.stringify(key)));
  for (const record of [...after, ...byKey]) {
    const isNew = isAsBefore && !wasThere.has(JSON.stringify(record.key));
    if (isNew) ledger.inserted(entity, record.key, record.ownerId, record.values, entity.isOneRow);
    else ledger.updated(entity, record.key, record.ownerId, record.values);
  }
  return result;
}

function update(builder: WriteBuilder, entity: GuardedEntity): GuardedWrite | undefined {
  const { valuesSet } = builder.expressionMap;
  const read = (): Written => writtenValues(dataSourceOf(builder), entity, (valuesSet ?? {}) as Values, true);
  const values = read();
  if (mayBeHeard(builder, 'Update')) {
    beforeSql(builder, () => {
      // What the rows named before would have had to be read by now.
      if (!areSame(values, read())) throw changedByListener(entity);
    });
  }
  if (values.fields.size === 0 && !values.expressions && !values.changesId && !values.newKey) return undefined;
  return { entity, run: (...args) => updateRows(builder, entity, values, ...args) };
}

/** Whether entity listeners or subscribers hear of the write before its SQL is made, and may change its values. */
function mayBeHeard(builder: WriteBuilder, what: 'Insert' | 'Update'): boolean {
  const { callListeners, mainAlias } = builder.expressionMap;
  if (!callListeners || !mainAlias) return false;
  const isHeard = mainAlias.metadata[`before${what}Listeners`].length > 0;
  return isHeard || dataSourceOf(builder).subscribers.some((subscriber) => subscriber[`before${what}`]);
}

/** Runs `look` when TypeORM makes the SQL: the values are what listeners have left of them. */
function beforeSql(builder: WriteBuilder, look: () => void): void {
  const make = builder.getQueryAndParameters.bind(builder);
  builder.getQueryAndParameters = () => {
    look();
    return make();
  };
}

function changedByListener({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'save() the entity, or give the value to update().';
  return new RecordWriteUnseenError(name, `A listener's change of what update() writes into ${name}`, remedy);
}

/** Rows that came to meet the condition after it was asked; or it answers by chance. */
function moreThanRead({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'Run it again; or read the rows first, and update them by their ids.';
  return new RecordWriteUnseenError(name, `An update of more rows of ${name} than its condition had found`, remedy);
}

function areSame(one: Written, other: Written): boolean {
  const textOf = ({ fields, expressions, changesId }: Written): string =>
    JSON.stringify([
      [...fields].map(([{ name }, { ids, junk }]) => [name, ids, junk.map(textOfJunk)]),
      expressions,
      changesId,
    ]);
  return textOf(one) === textOf(other);
}

async function updateRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  { fields, expressions, changesId, newKey }: Written,
  execute: Execute,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<unknown> {
  const keys = writtenKeys(builder, entity);
  const { metadata, idColumn, letsGo, heirs } = entity;
  // Of a table of several classes only the row tells which one it is.
  const isOneClass = heirs.length === 0;
  const idIsKey = metadata.primaryColumns.includes(idColumn);
  const isKnown = keys !== undefined && isOneClass && idIsKey && !changesId && !newKey && !letsGo && !expressions;
  if (isKnown) {
    const note = (isSure: boolean): void => {
      for (const key of keys) {
        ledger.updated(entity, key, canonicalId(dataSourceOf(builder), idColumn, idColumn.getEntityValue(key)), fields);
        if (!isSure) ledger.unsure(entity, key);
      }
    };
    const result = await done<{ affected?: number }>(builder, execute, () => note(false));
    // Some of them may not be there.
    note(result.affected === keys.length);
    return result;
  }
  const before = await rowsOf(builder, entity, manager);
  for (const record of before) ledger.seen(record);
  const note = (isSure: boolean): void => {
    for (const record of before) {
      ledger.updated(
        record.entity,
        record.key,
        changesId ? undefined : record.ownerId,
        asFieldsOf(record.entity, fields),
      );
      if (expressions || changesId || !isSure) ledger.unsure(record.entity, record.key);
      if (newKey) ledger.rekeyed(record.entity, record.key, { ...record.key, ...newKey });
    }
  };
  const result = await done<{ affected?: number }>(builder, execute, () => note(false));
  const { affected = before.length } = result;
  if (affected > before.length) throw ledger.refuse(moreThanRead(entity));
  // A limit leaves some of them alone.
  note(affected === before.length);
  return result;
}

async function deleteRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  execute: Execute,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<unknown> {
  const before = await rowsOf(builder, entity, manager);
  const note = (isSure: boolean): void => {
    for (const record of before) {
      ledger.removed(record);
      if (!isSure) ledger.unsure(record.entity, record.key);
    }
  };
  const result = await done<{ affected?: number | null }>(builder, execute, () => note(false));
  note(result.affected === before.length);
  return result;
}

async function recoverRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  execute: Execute,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<unknown> {
  const before = await rowsOf(builder, entity, manager);
  const note = (): void => {
    for (const { key, ownerId, values } of before) ledger.updated(entity, key, ownerId, values);
  };
  const result = await done(builder, execute, note);
  note();
  return result;
}

/** The rows that are there and that the builder is about to write, locked. */
export async function rowsToWrite(
  builder: WriteBuilder,
  entity: GuardedEntity,
  manager: EntityManager,
): Promise<RecordRow[]> {
  const { queryType, onConflict, onUpdate, onIgnore } = builder.expressionMap;
  if (queryType !== 'insert') return rowsOf(builder, entity, manager);
  if (!onConflict && !onUpdate && !onIgnore) return [];
  const where = uniqueCondition(dataSourceOf(builder), entity, rowsToInsert(builder));
  return where ? readRows(manager, entity, where, true) : [];
}

/** What an insertion has written into a column of one of its rows. */
export function writtenValue(
  builder: WriteBuilder,
  index: number,
  identifier: object | undefined,
  column: OwnerColumn,
): unknown {
  return valueIn([identifier, rowsToInsert(builder)[index]], column);
}

/** The values by the fields of the class that a row is of, if they were written by a class that it extends. */
function asFieldsOf(entity: GuardedEntity, values: FieldValues): FieldValues {
  const named = [...values].flatMap(([field, value]) => {
    const own = entity.fields.find(({ column }) => column.databaseName === field.column.databaseName);
    return own ? [[own, value] as const] : [];
  });
  return new Map(named);
}

/** The rows that the builder is about to write, locked. */
function rowsOf(builder: WriteBuilder, entity: GuardedEntity, manager: EntityManager): Promise<RecordRow[]> {
  const keys = writtenKeys(builder, entity);
  const where = keys ? keyCondition(dataSourceOf(builder), entity, keys) : criteriaOf(builder, entity);
  return readRows(manager, entity, where, true);
}

/** The builder's own condition: as a deletion that says nothing else it has no other parameters than this. */
function criteriaOf(builder: WriteBuilder, { metadata: { name } }: GuardedEntity): Condition {
  const deletion = builder.clone().delete();
  const { commonTableExpressions } = deletion.expressionMap;
  Object.assign(deletion.expressionMap, {
    comment: undefined,
    commonTableExpressions: [],
    returning: '',
    extraReturningColumns: [],
  });
  const [sql, parameters] = deletion.getQueryAndParameters();
  const at = sql.indexOf(' WHERE ');
  if (at < 0) return { sql: '1 = 1', parameters: [] };
  const condition = sql.slice(at + ' WHERE '.length);
  for (const { alias } of commonTableExpressions) {
    if (mentions(condition, alias)) throw ofCommonTable(name, alias);
  }
  return { sql: condition, parameters };
}

function mentions(sql: string, name: string): boolean {
  return new RegExp(`(?<!\\w)${name.replaceAll(/\W/g, String.raw`\$&`)}(?!\\w)`, 'i').test(sql);
}

function ofCommonTable(name: string, alias: string): RecordWriteUnseenError {
  const remedy = 'Write the condition with a subquery in the place of the common table expression.';
  return new RecordWriteUnseenError(
    name,
    `A write of the rows of ${name} that the common table "${alias}" names`,
    remedy,
  );
}

/** What is written into declared fields and the owner id. */
interface Written {
  readonly fields: FieldValues;
  /** Whether SQL says what is written. */
  readonly expressions: boolean;
  /** Whether an update changes the owner id. */
  readonly changesId: boolean;
  /** The values of primary columns that an update changes, by property. */
  readonly newKey: ObjectLiteral | undefined;
  /** Whether an insertion says which owner the row is, and no other row is the same: another may have been it before. */
  readonly choosesId: boolean;
}

function writtenValues(dataSource: DataSource, entity: GuardedEntity, values: Values, isUpdate = false): Written {
  const fields = new Map<GuardedField, NamedFiles>();
  let expressions = false;
  for (const field of entity.fields) {
    const { column } = field;
    const value: unknown = column.getEntityValue(values);
    if (value === undefined || !(isUpdate ? column.isUpdate : column.isInsert)) continue;
    if (typeof value === 'function') expressions = true;
    else fields.set(field, filesNamedBy(dataSource, field, value));
  }
  const { idColumn, isOneRow, heirs } = entity;
  const has = (column: OwnerColumn) => column.getEntityValue(values) !== undefined;
  const changesId = isUpdate && [entity, ...heirs].some((one) => one.idColumn.isUpdate && has(one.idColumn));
  const newKey = isUpdate ? changedKey(entity, values) : undefined;
  return { fields, expressions, changesId, newKey, choosesId: isOneRow && has(idColumn) };
}

/** Throws where nobody can tell which rows, or of which class, those are that the update leaves. */
function changedKey({ metadata }: GuardedEntity, values: Values): ObjectLiteral | undefined {
  const { name, primaryColumns, discriminatorColumn } = metadata;
  const written = (column: OwnerColumn): unknown => (column.isUpdate ? column.getEntityValue(values) : undefined);
  const key: ObjectLiteral = {};
  for (const column of primaryColumns) {
    const value = written(column);
    if (typeof value === 'function')
      throw new RecordWriteUnseenError(
        name,
        `An update of the primary key of ${name} by SQL`,
        'Give the value itself.',
      );
    if (value !== undefined) column.setEntityValue(key, value);
  }
  if (discriminatorColumn && written(discriminatorColumn) !== undefined)
    throw new RecordWriteUnseenError(
      name,
      `A change of the class of rows of ${name}`,
      'Insert a row of the other class.',
    );
  return Object.keys(key).length === 0 ? undefined : key;
}

function namesAny(fields: FieldValues): boolean {
  return [...fields.values()].some(({ ids, junk }) => ids.length > 0 || junk.length > 0);
}

function valueIn(sources: readonly (ObjectLiteral | undefined)[], column: OwnerColumn): unknown {
  for (const source of sources) {
    const value: unknown = source && column.getEntityValue(source);
    if (value !== undefined && value !== null && typeof value !== 'function') return value;
  }
  return undefined;
}

function uniqueBySql(name: string): RecordWriteUnseenError {
  return new RecordWriteUnseenError(name, `An upsert into ${name} whose unique value is SQL`, 'Give the value itself.');
}

/** That a row has the same primary or unique values as one of those that are to be inserted. Throws where SQL says what such a value is. */
function uniqueCondition(
  dataSource: DataSource,
  entity: GuardedEntity,
  rows: readonly Values[],
): Condition | undefined {
  const { metadata } = entity;
  const keys = [
    metadata.primaryColumns,
    ...metadata.uniques.map(({ columns }) => columns),
    ...metadata.indices.filter(({ isUnique }) => isUnique).map(({ columns }) => columns),
  ];
  const { driver } = dataSource;
  const parameters: unknown[] = [];
  const conditions: string[] = [];
  for (const row of rows) {
    for (const columns of keys) {
      const parts = columns.map((column): [OwnerColumn, unknown] => [column, column.getEntityValue(row)]);
      if (parts.some(([, value]) => typeof value === 'function')) throw uniqueBySql(metadata.name);
      if (parts.some(([, value]) => value === undefined || value === null)) continue;
      const terms = parts.map(([column, value]) => {
        const place = driver.createParameter('', parameters.push(driver.preparePersistentValue(value, column)) - 1);
        return `${driver.escape(column.databaseName)} = ${place}`;
      });
      conditions.push(`(${terms.join(' AND ')})`);
    }
  }
  return conditions.length === 0 ? undefined : { sql: conditions.join(' OR '), parameters };
}
