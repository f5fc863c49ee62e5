import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { FileTransfer } from '../file-transfer.entity.js';

/** The quoted names of a table and its columns, as the application's naming strategy and prefix made them. */
export interface TableNames<Entity> {
  readonly table: string;
  readonly column: (property: keyof Entity & string) => string;
}

export interface OwnershipNames {
  readonly file: TableNames<ManagedFile>;
  readonly history: TableNames<FileTransfer>;
  /** `id AS "id", owner_type AS "ownerType", …`: the columns of a FileSnapshot. */
  readonly snapshot: string;
}

const SNAPSHOT = ['id', 'ownerType', 'ownerId', 'pinned', 'storage', 'contentType', 'size', 'ownerField'] as const;

export function ownershipNames(dataSource: DataSource): OwnershipNames {
  const file = tableNames<ManagedFile>(dataSource, ManagedFile);
  const snapshot = SNAPSHOT.map((property) => `${file.column(property)} AS ${dataSource.driver.escape(property)}`).join(
    ', ',
  );
  return { file, history: tableNames<FileTransfer>(dataSource, FileTransfer), snapshot };
}

/** The quoted names of an entity's table and columns. */
export function tableNames<Entity extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityTarget<Entity>,
): TableNames<Entity> {
  const metadata = dataSource.getMetadata(entity);
  const quote = (name: string): string => dataSource.driver.escape(name);
  const columns = new Map(
    metadata.columns.map(({ propertyName, databaseName }) => [propertyName, quote(databaseName)]),
  );
  return {
    table: metadata.tablePath.split('.').map(quote).join('.'),
    column: (property) => columns.get(property) ?? quote(property),
  };
}

/** The properties of a history row, in the order in which every form of the statement inserts them. */
export const HISTORY_COLUMNS = [
  'id',
  'fileId',
  'action',
  'fromType',
  'fromId',
  'toType',
  'toId',
  'forced',
  'actorType',
  'actorId',
  'at',
] as const;
