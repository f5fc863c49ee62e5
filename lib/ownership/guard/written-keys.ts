import type { ObjectLiteral } from 'typeorm';
import { dataSourceOf } from '../../unit-of-work/typeorm/connected.js';
import type { WriteBuilder } from '../../unit-of-work/typeorm/query-builders.js';
import { ownerIdOf } from '../id-field.js';
import { canonicalId } from './canonical-id.js';
import type { GuardedEntity } from './guarded-entities.js';

interface Predicate {
  readonly operator?: string;
  readonly parameters?: readonly string[];
}

/**
 * The primary keys that the builder says it writes; undefined where it has other criteria, or where the database may write a key otherwise:
 * `+7`, or a uuid without dashes.
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

// `update(id, …)`, `update([id, …], …)` and `update({ id }, …)`, as TypeORM keeps them: one predicate about the primary column.
function keysInCriteria(
  { expressionMap: { wheres, parameters } }: WriteBuilder,
  { metadata }: GuardedEntity,
): ObjectLiteral[] | undefined {
  const [where, ...others] = wheres;
  const [column, ...more] = metadata.primaryColumns;
  if (!where || !column || others.length > 0 || more.length > 0 || !Array.isArray(where.condition)) return undefined;
  const [only, ...rest] = where.condition as { condition?: Predicate }[];
  const { operator, parameters: terms = [] } = only?.condition ?? {};
  if (rest.length > 0 || (operator !== 'equal' && operator !== 'in') || terms[0] !== column.propertyPath)
    return undefined;
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
