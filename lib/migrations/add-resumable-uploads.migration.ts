import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, nullable } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const UPLOAD = {
  entity: 'FileUpload',
  name: 'files_upload',
  columns: [
    nullable('kind', { varchar: 16 }),
    nullable('length', 'bigint', 'upload_length'),
    nullable('metadata', 'text', 'upload_metadata'),
    nullable('parts', 'text'),
    nullable('leaseOwner', 'uuid'),
    nullable('leaseUntil', 'bigint'),
  ],
};

/**
 * The columns of uploads that come through the application in several requests. Those that `synchronize` has made are
 * left as they are.
 */
export class AddResumableUploads1767225600004 implements MigrationInterface {
  readonly name = 'NestjsFilesAddResumableUploads1767225600004';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => addColumns(UPLOAD, runner));
  }

  /** Drops the columns: open resumable uploads look like direct ones that have not begun, which expire. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => dropColumns(UPLOAD, runner));
  }
}
