import type { DataSource, EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import { dataSourceOf, familyOf, keepWith, keptWith } from '../unit-of-work/typeorm/data-source.js';
import { sendSql } from '../unit-of-work/typeorm/send-sql.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';

const INSERTIONS = Symbol('nestjs-files:insertions');

interface Insertion {
  readonly sql: string;
  readonly columns: EntityMetadata['columns'];
}

/**
 * Inserts a row that has a value for each column. Its statement is written once for a data source: writing one takes TypeORM longer than the database
 * takes to run it. An application that listens to insertions hears of it as always.
 */
export async function insertRow<Entity extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<Entity>,
  row: Entity,
): Promise<void> {
  const dataSource = dataSourceOf(manager);
  if (isHeard(dataSource) || familyOf(dataSource) === 'other') {
    // A copy, which TypeORM may change; its type has no place for JSON of any shape.
    await manager.insert(entity, { ...row } as object);
    return;
  }
  const { sql, columns } = insertionInto(dataSource, entity);
  const { driver } = dataSource;
  const parameters = columns.map((column): unknown => driver.preparePersistentValue(row[column.propertyName], column));
  await sendSql(manager, sql, parameters);
}

function isHeard({ subscribers }: DataSource): boolean {
  return subscribers.some(
    (subscriber) => subscriber.beforeInsert !== undefined || subscriber.afterInsert !== undefined,
  );
}

function insertionInto(dataSource: DataSource, entity: EntityTarget<ObjectLiteral>): Insertion {
  const kept = keptWith<Map<unknown, Insertion>>(dataSource, INSERTIONS) ?? new Map<unknown, Insertion>();
  keepWith(dataSource, INSERTIONS, kept);
  const found = kept.get(entity);
  if (found) return found;
  const { driver } = dataSource;
  const { table, column } = tableNames(dataSource, entity);
  const { columns } = dataSource.getMetadata(entity);
  const names = columns.map(({ propertyName }) => column(propertyName)).join(', ');
  const values = columns.map(({ propertyName }, at) => driver.createParameter(propertyName, at)).join(', ');
  const made = { sql: `INSERT INTO ${table} (${names}) VALUES (${values})`, columns };
  kept.set(entity, made);
  return made;
}
