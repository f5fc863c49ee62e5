/**
 * Jobs in the tables of pg-boss, written in the transaction of the unit of work.
 * @module nestjs-files/jobs/pg-boss
 */
import type { JobEngine } from '../job-engine.js';
import type { Boss, PgBossInstance } from '../pg-boss/boss.js';
import { PgBossEngine } from '../pg-boss/pg-boss-engine.js';
import { wholeNumber } from '../whole-number.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

export type { PgBossInstance } from '../pg-boss/boss.js';

/** How jobs are run with pg-boss. */
export interface PgBossJobsOptions {
  /** The schema of its tables. @default 'pgboss' */
  schema?: string;
  /** How often it is asked for jobs that another process has queued, in milliseconds. @default 1000 */
  poll?: number;
}

/**
 * Keeps jobs with the application's own pg-boss, on the PostgreSQL of the data source: one queue for each job. The
 * queues of the application's handlers are made at boot.
 * @example FilesModule.forRoot({ storages, jobs: { engine: pgBossJobs(boss) } })
 */
export function pgBossJobs(
  boss: PgBossInstance,
  { schema = 'pgboss', poll = 1_000 }: PgBossJobsOptions = {},
): JobEngine {
  return new PgBossEngine(boss as unknown as Boss, schema, wholeNumber('poll', poll, LONGEST_TIMER));
}
