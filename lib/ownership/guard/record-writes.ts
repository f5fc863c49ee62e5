import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/ownership.errors.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import { canonicalId, guardedEntity } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';
import { insertion } from './record-insertions.js';
import type { RecordLedger } from './record-ledger.js';
import type { FieldValues } from './record-rows.js';
import { areSame, beforeSql, done, mayBeHeard, rowsOf, writtenKeys, writtenValues } from './write-statement.js';
import type { Execute, GuardedWrite, Values, Written } from './write-statement.js';

/** The write of the builder, if it concerns a declared field, an owner id, or the existence of a guarded row. */
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

function update(builder: WriteBuilder, entity: GuardedEntity): GuardedWrite | undefined {
  const { valuesSet } = builder.expressionMap;
  const read = (): Written => writtenValues(dataSourceOf(builder), entity, (valuesSet ?? {}) as Values, true);
  const values = read();
  if (mayBeHeard(builder, 'Update')) {
    beforeSql(builder, () => {
      // The files that the rows named before should have been read by now.
      if (!areSame(values, read())) throw changedByListener(entity);
    });
  }
  if (values.fields.size === 0 && !values.expressions && !values.changesId && !values.newKey) return undefined;
  return { entity, run: (...args) => updateRows(builder, entity, values, ...args) };
}

function changedByListener({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'save() the entity, or give the value to update().';
  return new RecordWriteUnseenError(name, `A listener's change of what update() writes into ${name}`, remedy);
}

/** Rows that met the condition only later, or a condition with a random result. */
function moreThanRead({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'Run it again; or read the rows first, and update them by their ids.';
  return new RecordWriteUnseenError(name, `An update of more rows of ${name} than its condition had found`, remedy);
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
  // In a table of several classes, only the row tells its class.
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
    // Some of them may be missing.
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
      if (newKey) ledger.rekeyed(record.entity, record.key, keyWith(metadata, record.key, newKey));
    }
  };
  const result = await done<{ affected?: number }>(builder, execute, () => note(false));
  const { affected = before.length } = result;
  if (affected > before.length) throw ledger.refuse(moreThanRead(entity));
  // A limit spares some of them.
  note(affected === before.length);
  return result;
}

/** The key with some new values. Several columns may be in one embedded object. */
function keyWith({ primaryColumns }: EntityMetadata, key: ObjectLiteral, values: ObjectLiteral): ObjectLiteral {
  const all: ObjectLiteral = {};
  for (const column of primaryColumns) {
    column.setEntityValue(all, column.getEntityValue(values) ?? column.getEntityValue(key));
  }
  return all;
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

/** The values by the fields of the class that a row is of, if they were written by a class that it extends. */
function asFieldsOf(entity: GuardedEntity, values: FieldValues): FieldValues {
  const named = [...values].flatMap(([field, value]) => {
    const own = entity.fields.find(({ column }) => column.databaseName === field.column.databaseName);
    return own ? [[own, value] as const] : [];
  });
  return new Map(named);
}
