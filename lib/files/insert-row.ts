import type { DataSource, EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf, keepWith, keptWith } from '../unit-of-work/typeorm/data-source.js';
import { sendSql } from '../unit-of-work/typeorm/send-sql.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';

const INSERTIONS = Symbol('nestjs-files:insertions');

interface Insertion {
  readonly into: string;
  readonly sql: string;
  readonly columns: EntityMetadata['columns'];
}

/**
 * Inserts a row that has a value for each column. Its statement is written once for a data source: writing one takes
 * TypeORM longer than the database takes to run it. An application that listens to insertions hears of it as always.
 */
export async function insertRow<Entity extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<Entity>,
  row: Entity,
): Promise<void> {
  await insertRows(manager, entity, [row]);
}

/** As `insertRow`, for several, with one statement. The caller knows the databases' limit of parameters. */
export async function insertRows<Entity extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<Entity>,
  rows: readonly Entity[],
): Promise<void> {
  if (rows.length === 0) return;
  const dataSource = dataSourceOf(manager);
  if (isHeard(dataSource) || dialectOf(dataSource).family === 'other') {
    // Copies, which TypeORM may change; its type has no place for JSON of any shape.
    const copies = rows.map((row) => ({ ...row }) as object);
    await manager.createQueryBuilder().insert().into(entity).values(copies).updateEntity(false).execute();
    return;
  }
  const { into, sql, columns } = insertionInto(dataSource, entity);
  const { driver } = dataSource;
  const parameters = rows.flatMap((row) =>
    columns.map((column): unknown => driver.preparePersistentValue(row[column.propertyName], column)),
  );
  await sendSql(manager, rows.length === 1 ? sql : into + tuples(dataSource, columns, rows.length), parameters);
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
  const { table, column } = tableNames(dataSource, entity);
  const { columns } = dataSource.getMetadata(entity);
  const names = columns.map(({ propertyName }) => column(propertyName)).join(', ');
  const into = `INSERT INTO ${table} (${names}) VALUES `;
  const made = { into, sql: into + tuples(dataSource, columns, 1), columns };
  kept.set(entity, made);
  return made;
}

/** The places of the parameters of so many rows. */
function tuples({ driver }: DataSource, columns: Insertion['columns'], count: number): string {
  const rows = Array.from({ length: count }, (_, row) => {
    const first = row * columns.length;
    return `(${columns.map(({ propertyName }, at) => driver.createParameter(propertyName, first + at)).join(', ')})`;
  });
  return rows.join(', ');
}
