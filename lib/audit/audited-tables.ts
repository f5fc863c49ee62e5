import type { DataSource } from 'typeorm';
import { guardedEntitiesOf } from '../ownership/guard/guarded-entities.js';
import type { GuardedEntity } from '../ownership/guard/guarded-entities.js';
import type { OwnerColumn } from '../ownership/owner-entities.js';

/** A table of guarded rows. In single table inheritance several classes share it. */
export interface AuditedTable {
  /** The class from which the others inherit. */
  readonly root: GuardedEntity;
  /** The columns that an audit reads, of all classes of the table. */
  readonly columns: readonly OwnerColumn[];
}

/** The tables of all guarded classes, each once. */
export function auditedTables(dataSource: DataSource): AuditedTable[] {
  const entities = guardedEntitiesOf(dataSource);
  return entities
    .filter((entity) => !entities.some((other) => sharesTable(other, entity)))
    .map((root) => ({
      root,
      columns: columnsOf([root, ...entities.filter((entity) => sharesTable(root, entity))]),
    }));
}

/** Whether `entity` inherits from `root`, and its rows are in the same table. */
export function sharesTable({ metadata: root }: GuardedEntity, { metadata }: GuardedEntity): boolean {
  return root !== metadata && root.tablePath === metadata.tablePath && root.childEntityMetadatas.includes(metadata);
}

function columnsOf(entities: readonly GuardedEntity[]): OwnerColumn[] {
  const columns = entities.flatMap(({ metadata, idColumn, fields }) => {
    return [
      ...metadata.primaryColumns,
      idColumn,
      ...fields.map(({ column }) => column),
      metadata.discriminatorColumn ?? [],
    ].flat();
  });
  return [...new Map(columns.map((column) => [column.databaseName, column])).values()];
}
