import type { DataSource, EntityManager } from 'typeorm';
import type { GuardedEntity } from '../ownership/guard/guarded-entities.js';
import { isList } from '../ownership/guard/record-rows.js';
import { ownerIdOf } from '../files/owner-reference.js';
import { comparedColumn, comparison } from '../ownership/owner-existence.js';
import type { OwnerColumn, OwnerClass } from '../ownership/owner-entities.js';
import { auditedTables, sharesTable } from './audited-tables.js';
import type { AuditedTable } from './audited-tables.js';
import { nextRows, ROWS_PER_PAGE } from './record-pages.js';
import type { AuditedRow, Position, Where } from './record-pages.js';
import { isOneOf } from './sql.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';

const INTEGER = /^-?\d+$/;
const INTEGERS = new Set(['smallint', 'int', 'integer', 'bigint', 'mediumint', 'tinyint']);

/** The rows of the class whose owner id is one of these, page by page. */
export async function* rowsOfOwners(
  manager: EntityManager,
  entity: GuardedEntity,
  ownerIds: readonly string[],
): AsyncGenerator<AuditedRow, void> {
  const dataSource = dataSourceOf(manager);
  const ids = comparable(dataSource, entity.idColumn, ownerIds);
  if (ids.length === 0) return;
  const wanted = new Set(ids);
  for await (const row of rowsWhere(manager, entity, (bind) => isOneOf(dataSource, entity.idColumn, ids, bind))) {
    // MySQL finds 1 by `1abc`, and `a` by `A`. A row of the table may be another class, which owns as another type.
    const isMeant = row.entity.ownerType === entity.ownerType;
    if (isMeant && row.ownerId !== undefined && wanted.has(row.ownerId)) yield row;
  }
}

/** Whether an index tells which rows of the class name a file. */
export function isFoundByFile({ fields }: GuardedEntity): boolean {
  return fields.every(({ column }) => !isList(column) && !column.transformer);
}

/** The rows of the class that name one of the files, by the indices of its columns. */
export async function* rowsNaming(
  manager: EntityManager,
  entity: GuardedEntity,
  fileIds: readonly string[],
): AsyncGenerator<AuditedRow, void> {
  const names: Where = (bind) =>
    entity.fields.map(({ column }) => isOneOf(dataSourceOf(manager), column, fileIds, bind)).join(' OR ');
  for await (const row of rowsWhere(manager, entity, names)) {
    if (row.entity.ownerType === entity.ownerType) yield row;
  }
}

/** Which of the ids have a row in the classes, soft-removed or not. */
export async function existingOwners(
  manager: EntityManager,
  entities: readonly OwnerClass[],
  ownerIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const there = new Set<string>();
  for (const { metadata, idColumn } of entities) {
    const ids = idColumn ? comparable(dataSourceOf(manager), idColumn, ownerIds) : [];
    if (!idColumn || ids.length === 0) continue;
    const value = comparedColumn(dataSourceOf(manager), idColumn);
    const rows = await manager
      .createQueryBuilder(metadata.target, 'owner')
      .withDeleted()
      .select(value, 'id')
      .where(`${value} IN (:...ids)`, { ids })
      .getRawMany<{ id: unknown }>();
    for (const { id } of rows) there.add(ownerIdOf(id) ?? '');
  }
  return there;
}

async function* rowsWhere(
  manager: EntityManager,
  entity: GuardedEntity,
  where: Where,
): AsyncGenerator<AuditedRow, void> {
  const table = tableOf(dataSourceOf(manager), entity);
  let after: Position | undefined;
  for (;;) {
    const rows = await nextRows(manager, table, after, where);
    yield* rows;
    if (rows.length < ROWS_PER_PAGE) return;
    after = rows.at(-1)?.position;
  }
}

function tableOf(dataSource: DataSource, entity: GuardedEntity): AuditedTable {
  const found = auditedTables(dataSource).find(({ root }) => root === entity || sharesTable(root, entity));
  if (!found) throw new TypeError(`${entity.metadata.name} is not a guarded class of the data source`);
  return found;
}

/** The ids that the column can hold. No row has the others, and PostgreSQL would fail on them. */
function comparable(dataSource: DataSource, column: OwnerColumn, ids: readonly string[]): string[] {
  const { comparable: isPossible } = comparison(dataSource, column);
  const isInteger = INTEGERS.has(dataSource.driver.normalizeType(column));
  return ids.filter((id) => isPossible(id) && (!isInteger || INTEGER.test(id)));
}
