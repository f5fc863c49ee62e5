/**
 * The options of jobs, jobs that have failed, and the default engine; others are at `nestjs-files/jobs/pg-boss` and its
 * neighbours.
 * @module nestjs-files/jobs
 */

export { FilesJobs } from '../jobs/files-jobs.js';
export type { FailedJob, JobEngine } from '../jobs/job-engine.js';
export type { JobsOptions } from '../jobs/jobs-options.js';
export { outboxJobs } from '../jobs/outbox/outbox-engine.js';
export type { OutboxJobsOptions } from '../jobs/outbox/outbox-engine.js';
export type { EnqueueOptions } from '../task-queue/job-intake.js';
