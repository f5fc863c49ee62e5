import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, addIndex, dropColumns, dropIndex, nullable } from './blueprint.js';
import type { IndexBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const FILE = { entity: 'ManagedFile', name: 'files_file', columns: [nullable('expiresAt', 'bigint')] };
const DUE: IndexBlueprint = { name: 'ix_files_file_expiry', columns: ['storage', 'expiresAt', 'id'] };

/** When a file expires that was never attached. Files that were uploaded before do not expire. */
export class AddDraftExpiry1767225600006 implements MigrationInterface {
  readonly name = 'NestjsFilesAddDraftExpiry1767225600006';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, async () => {
      await addColumns(FILE, runner);
      await addIndex(FILE, DUE, runner);
    });
  }

  /** Drops the column: drafts become files that stay. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, async () => {
      await dropIndex(FILE, DUE, runner);
      await dropColumns(FILE, runner);
    });
  }
}
