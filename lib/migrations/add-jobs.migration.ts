import type { MigrationInterface, QueryRunner } from 'typeorm';
import { column, createFrom, drop, nullable, primary } from './blueprint.js';
import type { TableBlueprint } from './blueprint.js';
import { withMigrationLock } from './migration-lock.js';

const text = (varchar: number) => ({ varchar });

const JOB: TableBlueprint = {
  entity: 'QueuedJob',
  name: 'files_job',
  columns: [
    primary('id', 'uuid'),
    column('name', text(64)),
    nullable('key', text(191), 'job_key'),
    column('data', 'json'),
    column('state', text(16)),
    column('attempts', 'integer'),
    column('dueAt', 'bigint'),
    nullable('leaseOwner', 'uuid'),
    nullable('lastError', text(1024)),
    column('createdAt', 'bigint'),
  ],
  indices: [{ name: 'ix_files_job_due', columns: ['state', 'name', 'dueAt', 'id'] }],
  uniques: [{ name: 'uq_files_job_key', columns: ['name', 'key'] }],
};

/** The table of jobs that units of work have queued. One that `synchronize` has made is left as it is. */
export class AddJobs1767225600003 implements MigrationInterface {
  readonly name = 'NestjsFilesAddJobs1767225600003';

  async up(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => createFrom(JOB, runner));
  }

  /** Drops the table, with the jobs that wait in it. */
  async down(runner: QueryRunner): Promise<void> {
    await withMigrationLock(runner, () => drop(JOB, runner));
  }
}
