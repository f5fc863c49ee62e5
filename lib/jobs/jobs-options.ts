import { OptionInvalidError } from '../errors/setup.errors.js';
import type { JobEngine } from './job-engine.js';
import { outboxJobs } from './outbox/outbox-engine.js';

/** How jobs are stored and run. */
export interface JobsOptions {
  /** Stores jobs and runs them. @default outboxJobs(), in the table `files_job` */
  engine?: JobEngine;
  /** Whether this process runs jobs, or only queues them. @default true */
  work?: boolean;
}

/** The application's `jobs` option, read by `readJobsOptions`. */
export const JOBS_OPTIONS = Symbol('JOBS_OPTIONS');

export interface CheckedJobsOptions extends Required<JobsOptions> {
  /** How many milliseconds a shutdown waits for runs. */
  shutdownTimeout: number;
}

const MEMBERS = ['start', 'write'] as const;

/** Fills in the defaults; throws `OptionInvalidError` for what is no engine. */
export function readJobsOptions(options: JobsOptions = {}, shutdownTimeout = 0): CheckedJobsOptions {
  const { engine = outboxJobs(), work = true } = options;
  if (MEMBERS.some((member) => typeof engine[member] !== 'function'))
    throw new OptionInvalidError(
      'jobs.engine',
      'it is no engine. Use outboxJobs(), or one of the entries nestjs-files/jobs/…',
    );
  return { engine, work, shutdownTimeout };
}
