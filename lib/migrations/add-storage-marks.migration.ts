import type { MigrationInterface, QueryRunner } from 'typeorm';
import { column, createFrom, drop, primary } from './blueprint.js';
import type { TableBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const STORAGE: TableBlueprint = {
  entity: 'StorageMark',
  name: 'files_storage',
  columns: [primary('storage', { varchar: 64 }), column('mark', 'uuid'), column('markedAt', 'bigint')],
};

/** The table of the marks of storages. One that `synchronize` has made is left as it is. */
export class AddStorageMarks1767225600001 implements MigrationInterface {
  readonly name = 'NestjsFilesAddStorageMarks1767225600001';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => createFrom(STORAGE, runner));
  }

  /** Drops the table: the next boot marks the storages again. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => drop(STORAGE, runner));
  }
}
