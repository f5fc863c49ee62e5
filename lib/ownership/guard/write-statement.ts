import { isDeepStrictEqual } from 'node:util';
import { QueryFailedError } from 'typeorm';
import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/ownership.errors.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import { readPath } from '../object-index.js';
import type { OwnerColumn } from '../owner-entities.js';
import { canonicalId, filesNamedBy, textOfJunk } from './guarded-entities.js';
import type { GuardedEntity, GuardedField, NamedFiles } from './guarded-entities.js';
import { readRows, rowsByKey } from './record-rows.js';
import type { Condition, FieldValues, RecordRow } from './record-rows.js';
import type { RecordLedger } from './record-ledger.js';

export type Values = Readonly<Record<string, unknown>>;
export type Execute = () => Promise<unknown>;

/** The effect of a write on a guarded entity; undefined if it touches no guarded column. */
export interface GuardedWrite {
  readonly entity: GuardedEntity;
  /** Does the write, and notes it. Needs the builder's query runner to be in a transaction. */
  run(execute: Execute, ledger: RecordLedger, manager: EntityManager): Promise<unknown>;
}

/** The values for declared fields and the owner id. */
export interface Written {
  readonly fields: FieldValues;
  /** Whether SQL computes the value. */
  readonly expressions: boolean;
  /** Whether an update changes the owner id. */
  readonly changesId: boolean;
  /** The values of primary columns that an update changes, by property. */
  readonly newKey: ObjectLiteral | undefined;
  /**
   * Whether an insertion chooses the owner id, by a value or a default, and it is of this row alone: an earlier row may
   * have had it.
   */
  readonly choosesId: boolean;
}

export function writtenValues(
  dataSource: DataSource,
  entity: GuardedEntity,
  values: Values,
  isUpdate = false,
): Written {
  const fields = new Map<GuardedField, NamedFiles>();
  let expressions = false;
  for (const field of entity.fields) {
    const { column } = field;
    const value = isUpdate ? updatedValue(column, values) : (column.getEntityValue(values) as unknown);
    if (value === undefined || !(isUpdate ? column.isUpdate : column.isInsert)) continue;
    if (typeof value === 'function') expressions = true;
    else fields.set(field, filesNamedBy(dataSource, field, value));
  }
  const { idColumn, isOneRow, heirs } = entity;
  const changes = ({ idColumn: column }: GuardedEntity) =>
    column.isUpdate && updatedValue(column, values) !== undefined;
  const changesId = isUpdate && [entity, ...heirs].some((one) => changes(one));
  const newKey = isUpdate ? changedKey(entity, values) : undefined;
  const choosesId = isOneRow && (!idColumn.isGenerated || idColumn.getEntityValue(values) !== undefined);
  return { fields, expressions, changesId, newKey, choosesId };
}

/**
 * If only a relation is set to null, TypeORM has no value for a join column with a property of its own, and writes
 * null. It also writes null for `undefined` in an embedded object, which it leaves out elsewhere.
 */
function updatedValue(column: OwnerColumn, values: Values): unknown {
  const value: unknown = column.getEntityValue(values);
  if (value !== undefined) return value;
  const { relations } = column.entityMetadata;
  const isJoined = relations.some(
    (one) => one.joinColumns.includes(column) && one.getEntityValue(values) !== undefined,
  );
  return isJoined || isEmptied(column, values) ? null : undefined;
}

function isEmptied({ embeddedMetadata, propertyName, relationMetadata }: OwnerColumn, values: Values): boolean {
  if (!embeddedMetadata) return false;
  const object = readPath(values, embeddedMetadata.propertyPath);
  if (typeof object !== 'object' || object === null) return false;
  return Object.hasOwn(object, propertyName) || Object.hasOwn(object, relationMetadata?.propertyName ?? propertyName);
}

/** Throws where the rows after the update, or their classes, cannot be known. */
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

export function namesAny(fields: FieldValues): boolean {
  return [...fields.values()].some(({ ids, junk }) => ids.length > 0 || junk.length > 0);
}

export function valueIn(sources: readonly (ObjectLiteral | undefined)[], column: OwnerColumn): unknown {
  for (const source of sources) {
    const value: unknown = source && column.getEntityValue(source);
    if (value !== undefined && value !== null && typeof value !== 'function') return value;
  }
  return undefined;
}

export function areSame(one: Written, other: Written): boolean {
  const textOf = ({ fields, expressions, changesId }: Written): string =>
    JSON.stringify([
      [...fields].map(([{ name }, { ids, junk }]) => [name, ids, junk.map(textOfJunk)]),
      expressions,
      changesId,
    ]);
  return textOf(one) === textOf(other);
}

export function rowsToInsert({ expressionMap: { valuesSet } }: WriteBuilder): readonly Values[] {
  return (Array.isArray(valuesSet) ? valuesSet : [valuesSet ?? {}]) as readonly Values[];
}

/**
 * Whether entity listeners or subscribers are called before the SQL of the write is made, and may change its values.
 */
export function mayBeHeard(builder: WriteBuilder, what: 'Insert' | 'Update'): boolean {
  const { callListeners, mainAlias } = builder.expressionMap;
  if (!callListeners || !mainAlias) return false;
  const isHeard = mainAlias.metadata[`before${what}Listeners`].length > 0;
  return isHeard || dataSourceOf(builder).subscribers.some((subscriber) => subscriber[`before${what}`]);
}

/** Runs `look` when TypeORM makes the SQL, after listeners have changed the values. */
export function beforeSql(builder: WriteBuilder, look: () => void): void {
  const make = builder.getQueryAndParameters.bind(builder);
  builder.getQueryAndParameters = () => {
    look();
    return make();
  };
}

/**
 * Does the write. `onFailure` is called if the write may have been done although it rejects, because a listener failed
 * after the statement. A statement that was not sent, or that failed itself, has changed nothing.
 */
export async function done<T>(builder: WriteBuilder, execute: Execute, onFailure: () => void): Promise<T> {
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

/** Whether this statement failed, and not one of a listener. SQLite's query runner turns booleans into numbers. */
function isFailureOf([sql, parameters]: [sql: string, parameters: unknown[]], error: unknown): boolean {
  if (!(error instanceof QueryFailedError) || error.query !== sql) return false;
  const asSent = (values: unknown[]): unknown[] =>
    values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
  return isDeepStrictEqual(asSent((error.parameters ?? []) as unknown[]), asSent(parameters));
}

/** The rows that the builder is about to write, locked. */
export function rowsOf(builder: WriteBuilder, entity: GuardedEntity, manager: EntityManager): Promise<RecordRow[]> {
  const keys = writtenKeys(builder, entity);
  return keys ? rowsByKey(manager, entity, keys, true) : readRows(manager, entity, criteriaOf(builder, entity), true);
}

/** The builder's own condition, made as a deletion, so that it has no other parameters. */
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

interface Predicate {
  readonly operator?: string;
  readonly parameters?: readonly string[];
}

/**
 * The primary keys that the builder says it writes; undefined where it has other criteria, or where the database may
 * write a key otherwise: `+7`, or a uuid without dashes.
 */
export function writtenKeys(builder: WriteBuilder, entity: GuardedEntity): ObjectLiteral[] | undefined {
  const { whereEntities } = builder.expressionMap;
  const { metadata } = entity;
  const dataSource = dataSourceOf(builder);
  const keys =
    whereEntities.length === 0
      ? keysInCriteria(builder, entity)
      : whereEntities.map((one) => metadata.getEntityIdMap(one) as ObjectLiteral);
  const isAsRead = (key: ObjectLiteral): boolean =>
    metadata.primaryColumns.every((column) => {
      const value: unknown = column.getEntityValue(key);
      const id = canonicalId(dataSource, column, value);
      return id !== undefined && id === ownerIdOf(value);
    });
  return keys?.every(isAsRead) ? keys : undefined;
}

// `update(id, …)`, `update([id, …], …)` and `update({ id }, …)`, as TypeORM keeps them: one predicate about the primary
// column.
function keysInCriteria(
  { expressionMap: { wheres, parameters } }: WriteBuilder,
  { metadata }: GuardedEntity,
): ObjectLiteral[] | undefined {
  const where = onlyOne(wheres)?.condition;
  const column = onlyOne(metadata.primaryColumns);
  if (!column || !Array.isArray(where)) return undefined;
  const { operator, parameters: terms = [] } = onlyOne(where as { condition?: Predicate }[])?.condition ?? {};
  if ((operator !== 'equal' && operator !== 'in') || terms[0] !== column.propertyPath) return undefined;
  const keys: ObjectLiteral[] = [];
  for (const term of terms.slice(1)) {
    const name = term.startsWith(':') ? term.slice(1) : '';
    if (!Object.hasOwn(parameters, name)) return undefined;
    const key: ObjectLiteral = {};
    column.setEntityValue(key, parameters[name]);
    keys.push(key);
  }
  return keys;
}

/** The item of a list of one; undefined for any other list. */
function onlyOne<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}
