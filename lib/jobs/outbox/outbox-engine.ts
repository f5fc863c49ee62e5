import type { JobEngine } from '../job-engine.js';
import { LeaseEngine } from '../leases/lease-engine.js';
import { wholeNumber } from '../whole-number.js';
import { Outbox } from './outbox.js';
import type { LeasedRow } from './outbox.js';
import { writeJobs } from './write-jobs.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

/** The options of the default engine. Times are in milliseconds. */
export interface OutboxJobsOptions {
  /**
   * The time between two searches for due jobs: jobs that another process queued, delayed jobs, and jobs of a process
   * that died. @default 1000
   */
  poll?: number;
  /**
   * How long the lease of a job lasts. The process renews it while the job runs. If the process dies, the job runs
   * again after this time. @default 60_000
   */
  lease?: number;
  /** How long the key of a completed job is kept. @default 86_400_000, a day */
  keepKeys?: number;
}

/**
 * Creates the default engine. It stores jobs as rows of `files_job`, and takes them from there to run them. It needs
 * only the database.
 * @example FilesModule.forRoot({ storages, jobs: { engine: outboxJobs({ lease: 300_000 }) } })
 */
export function outboxJobs({ poll = 1_000, lease = 60_000, keepKeys = 86_400_000 }: OutboxJobsOptions = {}): JobEngine {
  wholeNumber('keepKeys', keepKeys);
  return new LeaseEngine<LeasedRow>({
    poll: wholeNumber('poll', poll, LONGEST_TIMER),
    lease: wholeNumber('lease', lease, LONGEST_TIMER),
    write: writeJobs,
    open: ({ transactor }) => new Outbox(transactor, Date.now, keepKeys),
  });
}
