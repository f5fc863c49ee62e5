import { JobPayloadInvalidError } from '../errors/jobs.errors.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { findJsonFault } from './json-value.js';

/** Bytes of JSON that a payload may have. */
const MAX_BYTES = 65_536;

/** How a job is queued. */
export interface EnqueueOptions {
  /**
   * Identifies the job among the jobs with the same name. While a job with this key waits, runs or has failed, no
   * second one is queued. The default engine keeps the key of a completed job for a day, which blocks a second job
   * until then. @default none
   */
  key?: string;
  /** How many milliseconds the job waits before it may run, from the call on. @default 0 */
  delay?: number;
}

/** Takes the jobs that units of work queue. It is a port: the task queue does not know what runs the jobs. */
export abstract class JobIntake {
  /**
   * Notes a job. Its payload is a JSON value that no code changes any more. The job is written at the end of the unit,
   * in the unit's transaction. If the unit is rolled back, no job is written.
   */
  abstract add(unit: UnitOfWork, job: string, payload: unknown, options: EnqueueOptions): void;
}

/**
 * A copy of the payload, as JSON has it. Throws `JobPayloadInvalidError` for a value that JSON would change, and for
 * one that is too large.
 */
export function copyPayload(job: string, payload: unknown): unknown {
  const fault = findJsonFault(payload, 'payload');
  if (fault) throw new JobPayloadInvalidError(job, fault.place, fault.what, fault.remedy);
  const json = JSON.stringify(payload);
  const size = Buffer.byteLength(json);
  if (size > MAX_BYTES) {
    const remedy = `Save the data in a record and queue the record's id. A payload has at most ${MAX_BYTES} bytes of JSON`;
    throw new JobPayloadInvalidError(job, 'payload', `has ${size} bytes of JSON`, remedy);
  }
  return JSON.parse(json);
}
