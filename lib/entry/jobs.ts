/**
 * Jobs that have failed, and the default engine; others are at `nestjs-files/jobs/pg-boss` and its neighbours.
 * @module nestjs-files/jobs
 */

export { FilesJobs } from '../jobs/files-jobs.js';
export type { FailedJob, JobEngine } from '../jobs/job-engine.js';
export { outboxJobs } from '../jobs/outbox/outbox-engine.js';
export type { OutboxJobsOptions } from '../jobs/outbox/outbox-engine.js';
