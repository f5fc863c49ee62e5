import type { MigrationInterface, QueryRunner } from 'typeorm';
import { column, createFrom, drop, nullable, primary } from './blueprint.js';
import type { TableBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const text = (varchar: number) => ({ varchar });

const UPLOAD: TableBlueprint = {
  entity: 'FileUpload',
  name: 'files_upload',
  columns: [
    primary('id', 'uuid'),
    column('name', text(255)),
    column('storage', text(64)),
    column('location', text(1024)),
    column('locationKey', text(64)),
    column('size', 'bigint'),
    nullable('contentType', text(255)),
    nullable('checksum', text(191)),
    nullable('handle', text(1024)),
    nullable('partSize', 'bigint'),
    nullable('ownerType', text(64)),
    nullable('ownerId', text(191)),
    nullable('actorType', text(64)),
    nullable('actorId', text(191)),
    column('createdAt', 'bigint'),
    column('expiresAt', 'bigint'),
    nullable('endedAt', 'bigint'),
  ],
  indices: [
    { name: 'ix_files_upload_due', columns: ['expiresAt', 'id'] },
    { name: 'ix_files_upload_owner', columns: ['ownerType', 'ownerId'] },
  ],
  uniques: [{ name: 'uq_files_upload_location', columns: ['storage', 'locationKey'] }],
};

/** The table of uploads that clients send to storages themselves. One that `synchronize` has made is left as it is. */
export class AddDirectUploads1767225600002 implements MigrationInterface {
  readonly name = 'NestjsFilesAddDirectUploads1767225600002';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => createFrom(UPLOAD, runner));
  }

  /** Drops the table: open uploads are forgotten, and their bytes stay in the storages. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => drop(UPLOAD, runner));
  }
}
