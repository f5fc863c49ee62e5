import { isDeepStrictEqual } from 'node:util';
import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/ownership.errors.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import type { OwnerColumn } from '../owner-entities.js';
import { canonicalId } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import type { RecordLedger } from './record-ledger.js';
import { keyConditions, rowsByKey, rowsMeeting, SqlValue } from './record-rows.js';
import type { Compared, Condition } from './record-rows.js';
import { keyOf } from './written-row.js';
import { beforeSql, done, mayBeHeard, namesAny, rowsToInsert, valueIn, writtenValues } from './write-statement.js';
import type { Execute, GuardedWrite, Values, Written } from './write-statement.js';

/** The effect of the insertion on the entity; undefined if it names no files. */
export function insertion(builder: WriteBuilder, entity: GuardedEntity): GuardedWrite | undefined {
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
    // TypeORM has put the keys into the rows by then, if the database makes them.
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

/**
 * Has the keys read back, but not into the caller's objects if these must stay unchanged. Gives the rows as they are
 * inserted.
 */
function wantKeys({ expressionMap }: WriteBuilder, rows: readonly Values[]): readonly Values[] {
  if (expressionMap.updateEntity) return rows;
  const copies = rows.map((row) => Object.assign(Object.create(Object.getPrototypeOf(row) as object) as object, row));
  Object.assign(expressionMap, { updateEntity: true, valuesSet: copies });
  return copies;
}

/** Rows that are inserted or, if they exist already, updated or left alone: only their unique values are known. */
async function upsertRows(
  builder: WriteBuilder,
  entity: GuardedEntity,
  rows: readonly Values[],
  execute: Execute,
  ledger: RecordLedger,
  manager: EntityManager,
): Promise<unknown> {
  const known = uniqueConditions(builder, entity, rows);
  const before = await rowsMeeting(manager, entity, known, true);
  for (const record of before) ledger.seen(record);
  const inserted = wantKeys(builder, rows);
  let where = known;
  beforeSql(builder, () => (where = uniqueConditions(builder, entity, inserted)));
  const result = await done<{ identifiers: (ObjectLiteral | undefined)[] }>(builder, execute, () =>
    ledger.refuse(failedAfterWrite(entity)),
  );
  // A listener may have set the unique value: then the rows that existed before are unknown.
  const isAsBefore = isDeepStrictEqual(where, known);
  const after = await rowsMeeting(manager, entity, where, true);
  const keys = result.identifiers.filter((key) => key && entity.metadata.hasAllPrimaryKeys?.(key));
  const byKey = await rowsByKey(manager, entity, keys as ObjectLiteral[]);
  const wasThere = new Set(before.map(({ key }) => keyOf(entity, key)));
  for (const record of [...after, ...byKey]) {
    const isNew = isAsBefore && !wasThere.has(keyOf(entity, record.key));
    if (isNew) ledger.inserted(entity, record.key, record.ownerId, record.values, entity.isOneRow);
    else ledger.updated(entity, record.key, record.ownerId, record.values);
  }
  return result;
}

function uniqueBySql(name: string): RecordWriteUnseenError {
  const remedy = 'Give the value itself, or find the row and save it.';
  return new RecordWriteUnseenError(name, `An upsert into ${name} whose unique value is SQL`, remedy);
}

/**
 * That a row has the same primary or unique values as one to be inserted, as conditions that each fit into a statement.
 * Throws where SQL computes such a value.
 */
export function uniqueConditions(builder: WriteBuilder, entity: GuardedEntity, rows: readonly Values[]): Condition[] {
  const { metadata } = entity;
  const target = conflictTarget(builder, entity);
  const declared = [
    metadata.primaryColumns,
    ...metadata.uniques.map(({ columns }) => columns),
    ...metadata.indices.filter(({ isUnique }) => isUnique).map(({ columns }) => columns),
  ].filter((columns) => columns.length > 0);
  const isTarget = (columns: readonly OwnerColumn[]) => columns.every((column) => target.includes(column));
  const isDeclared = declared.some((columns) => columns.length === target.length && isTarget(columns));
  const keys = isDeclared || target.length === 0 ? declared : [...declared, target];
  const given: Compared[][] = [];
  for (const row of rows) {
    for (const columns of keys) {
      const key = columns.map((column): Compared => [column, insertedValue(metadata, column, row, isTarget(columns))]);
      if (key.some(([, value]) => typeof value === 'function')) throw uniqueBySql(metadata.name);
      if (key.every(([, value]) => value !== undefined && value !== null)) given.push(key);
    }
  }
  return keyConditions(dataSourceOf(builder), given);
}

/** The columns by which the upsert finds a row: also those that only a migration has made unique. */
function conflictTarget({ expressionMap }: WriteBuilder, { metadata }: GuardedEntity): readonly OwnerColumn[] {
  const { conflict = [] } = expressionMap.onUpdate ?? {};
  if (typeof conflict !== 'string')
    return metadata.columns.filter(({ databaseName }) => conflict.includes(databaseName));
  const { name, uniques, indices } = metadata;
  if ([...uniques, ...indices].some((declared) => declared.name === conflict)) return [];
  const what = `An upsert into ${name} by the constraint "${conflict}", which the entity does not declare`;
  throw new RecordWriteUnseenError(name, what, 'Name the columns of the constraint instead.');
}

/**
 * The value that the column of the inserted row gets: where none is given, TypeORM's or the column's default. A default
 * that SQL computes counts only if the upsert finds its row by it: elsewhere it is a new one, such as a uuid. A
 * function, if the database computes the value of each row.
 */
function insertedValue(
  { discriminatorValue }: EntityMetadata,
  column: OwnerColumn,
  row: Values,
  isTarget: boolean,
): unknown {
  const value: unknown = column.getEntityValue(row);
  if (column.asExpression !== undefined) return () => column.asExpression;
  if (value !== undefined || column.isGenerated) return value;
  if (column.isDiscriminator) return discriminatorValue;
  if (typeof column.default !== 'function') return column.default;
  return isTarget ? new SqlValue(column.default()) : undefined;
}
