import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns, nullable } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const FILE = {
  entity: 'ManagedFile',
  name: 'files_file',
  columns: [
    nullable('scan', { varchar: 16 }),
    nullable('scanner', { varchar: 64 }),
    nullable('finding', { varchar: 255 }),
  ],
};

/** Adds the columns for the verdict of a scanner. Columns that `synchronize` has made are left as they are. */
export class AddScans1767225600005 implements MigrationInterface {
  readonly name = 'NestjsFilesAddScans1767225600005';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => addColumns(FILE, runner));
  }

  /** Drops the columns: files that were not clean can be read again. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => dropColumns(FILE, runner));
  }
}
