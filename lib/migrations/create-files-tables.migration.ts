import type { MigrationInterface, QueryRunner } from 'typeorm';
import { column, createFrom, drop, nullable, primary } from './blueprint.js';
import type { TableBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const text = (varchar: number) => ({ varchar });

const FILE: TableBlueprint = {
  entity: 'ManagedFile',
  name: 'files_file',
  columns: [
    primary('id', 'uuid'),
    column('name', text(255)),
    column('storage', text(64)),
    column('location', text(1024)),
    column('locationKey', text(64)),
    column('contentType', text(255)),
    nullable('charset', text(32)),
    column('size', 'bigint'),
    column('hash', text(128)),
    column('hashAlgorithm', text(32)),
    column('createdAt', 'bigint'),
    nullable('replacedAt', 'bigint'),
    nullable('ownerType', text(64)),
    nullable('ownerId', text(191)),
    nullable('ownerField', text(128)),
    column('pinned', 'boolean'),
    nullable('storageData', 'json'),
    nullable('metadata', 'json', 'plugin_data'),
  ],
  uniques: [{ name: 'uq_files_file_location', columns: ['storage', 'locationKey'] }],
  indices: [{ name: 'ix_files_file_owner', columns: ['ownerType', 'ownerId', 'id'] }],
};

const TRANSFER: TableBlueprint = {
  entity: 'FileTransfer',
  name: 'files_transfer',
  columns: [
    primary('id', 'uuid'),
    column('fileId', 'uuid'),
    column('action', text(32)),
    nullable('fromType', text(64)),
    nullable('fromId', text(191)),
    nullable('toType', text(64)),
    nullable('toId', text(191)),
    nullable('actorType', text(64)),
    nullable('actorId', text(191)),
    column('forced', 'boolean'),
    column('at', 'bigint'),
  ],
  indices: [{ name: 'ix_files_transfer_file', columns: ['fileId', 'at', 'id'] }],
};

const INTENT: TableBlueprint = {
  entity: 'FileIntent',
  name: 'files_intent',
  columns: [
    primary('id', 'uuid'),
    column('storage', text(64)),
    column('location', text(1024)),
    column('locationKey', text(64)),
    column('kind', text(16)),
    column('createdAt', 'bigint'),
    nullable('leaseOwner', 'uuid'),
    nullable('leaseUntil', 'bigint'),
  ],
  indices: [
    { name: 'ix_files_intent_location', columns: ['storage', 'locationKey'] },
    { name: 'ix_files_intent_due', columns: ['createdAt'] },
  ],
};

const LINK: TableBlueprint = {
  entity: 'FileLink',
  name: 'files_link',
  columns: [primary('id', 'uuid'), column('fileId', 'uuid'), column('expiresAt', 'bigint')],
  indices: [{ name: 'ix_files_link_expires', columns: ['expiresAt'] }],
};

const BYTES: TableBlueprint = {
  entity: 'StoredBytes',
  name: 'files_bytes',
  columns: [
    primary('storage', text(64)),
    primary('locationKey', text(64)),
    primary('part', 'integer'),
    column('location', text(1024)),
    column('size', 'integer'),
    column('storedAt', 'bigint'),
    column('bytes', 'text'),
  ],
};

const USAGE: TableBlueprint = {
  entity: 'FileUsage',
  name: 'files_usage',
  columns: [
    primary('ownerType', text(64)),
    primary('ownerId', text(191)),
    column('bytes', 'bigint'),
    column('count', 'bigint', 'file_count'),
  ],
};

const TABLES = [FILE, TRANSFER, INTENT, LINK, BYTES, USAGE];

/** The tables of the first release. Tables that `synchronize` has made are left as they are. */
export class CreateFilesTables1767225600000 implements MigrationInterface {
  readonly name = 'NestjsFilesCreateFilesTables1767225600000';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, async () => {
      for (const table of TABLES) await createFrom(table, runner);
    });
  }

  /** Drops the tables, with the history of all files. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, async () => {
      for (const table of TABLES.toReversed()) await drop(table, runner);
    });
  }
}
