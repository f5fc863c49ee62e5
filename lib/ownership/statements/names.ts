import type { DataSource } from 'typeorm';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { tableNames } from '../../unit-of-work/typeorm/table-names.js';
import type { TableNames } from '../../unit-of-work/typeorm/table-names.js';
import { FileTransfer } from '../file-transfer.entity.js';

export interface OwnershipNames {
  readonly file: TableNames<ManagedFile>;
  readonly history: TableNames<FileTransfer>;
  /** `id AS "id", owner_type AS "ownerType", …`: the columns of a FileSnapshot. */
  readonly snapshot: string;
}

const SNAPSHOT = [
  'id',
  'ownerType',
  'ownerId',
  'pinned',
  'storage',
  'contentType',
  'size',
  'ownerField',
  'scan',
  'replacedAt',
] as const;

export function ownershipNames(dataSource: DataSource): OwnershipNames {
  const file = tableNames<ManagedFile>(dataSource, ManagedFile);
  const snapshot = SNAPSHOT.map((property) => `${file.column(property)} AS ${dataSource.driver.escape(property)}`).join(
    ', ',
  );
  return { file, history: tableNames<FileTransfer>(dataSource, FileTransfer), snapshot };
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
