import type { MigrationInterface, QueryRunner } from 'typeorm';
import { column, createFrom, drop, nullable, primary } from './blueprint.js';
import type { TableBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const text = (varchar: number) => ({ varchar });

const FILE: TableBlueprint = {
  name: 'files_file',
  columns: [
    primary('id', 'uuid'),
    column('name', text(255)),
    column('storage', text(64)),
    column('location', text(1024)),
    column('location_key', text(64)),
    column('content_type', text(255)),
    column('size', 'bigint'),
    column('hash', text(128)),
    column('hash_algorithm', text(32)),
    column('created_at', 'bigint'),
    nullable('replaced_at', 'bigint'),
    nullable('owner_type', text(64)),
    nullable('owner_id', text(191)),
    nullable('owner_field', text(128)),
    column('pinned', 'boolean'),
    nullable('storage_data', 'json'),
    nullable('plugin_data', 'json'),
  ],
  uniques: [{ name: 'uq_files_file_location', columns: ['storage', 'location_key'] }],
  indices: [{ name: 'ix_files_file_owner', columns: ['owner_type', 'owner_id', 'id'] }],
};

const TRANSFER: TableBlueprint = {
  name: 'files_transfer',
  columns: [
    primary('id', 'uuid'),
    column('file_id', 'uuid'),
    column('action', text(32)),
    nullable('from_type', text(64)),
    nullable('from_id', text(191)),
    nullable('to_type', text(64)),
    nullable('to_id', text(191)),
    nullable('actor_type', text(64)),
    nullable('actor_id', text(191)),
    column('forced', 'boolean'),
    column('at', 'bigint'),
  ],
  indices: [{ name: 'ix_files_transfer_file', columns: ['file_id', 'at', 'id'] }],
};

const INTENT: TableBlueprint = {
  name: 'files_intent',
  columns: [
    primary('id', 'uuid'),
    column('storage', text(64)),
    column('location', text(1024)),
    column('location_key', text(64)),
    column('kind', text(16)),
    column('created_at', 'bigint'),
    nullable('lease_owner', 'uuid'),
    nullable('lease_until', 'bigint'),
  ],
  indices: [
    { name: 'ix_files_intent_location', columns: ['storage', 'location_key'] },
    { name: 'ix_files_intent_due', columns: ['created_at'] },
  ],
};

const LINK: TableBlueprint = {
  name: 'files_link',
  columns: [primary('id', 'uuid'), column('file_id', 'uuid'), column('expires_at', 'bigint')],
  indices: [{ name: 'ix_files_link_expires', columns: ['expires_at'] }],
};

const BYTES: TableBlueprint = {
  name: 'files_bytes',
  columns: [
    primary('storage', text(64)),
    primary('location_key', text(64)),
    primary('part', 'integer'),
    column('location', text(1024)),
    column('size', 'integer'),
    column('stored_at', 'bigint'),
    column('bytes', 'text'),
  ],
};

const USAGE: TableBlueprint = {
  name: 'files_usage',
  columns: [
    primary('owner_type', text(64)),
    primary('owner_id', text(191)),
    column('bytes', 'bigint'),
    column('file_count', 'bigint'),
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
