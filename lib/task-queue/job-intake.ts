import { JobPayloadInvalidError } from '../errors/jobs.errors.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { findJsonFault } from './json-value.js';

/** Bytes of JSON that a payload may have. */
const MAX_BYTES = 65_536;

/** How a job is queued. */
export interface EnqueueOptions {
  /**
   * Names the job among those of its kind: while one with the same key is there, another is not queued. The default engine keeps the keys of
   * jobs that are done for a day. @default none
   */
  key?: string;
  /** How many milliseconds the job waits before it may run, from the call on. @default 0 */
  delay?: number;
}

/** Takes the jobs that units of work queue. It is a port: the task queue knows nothing of who works them off. */
export abstract class JobIntake {
  /** Notes the job, whose payload is JSON; it is written in the unit's transaction, before that ends, or undone with the unit. */
  abstract add(unit: UnitOfWork, job: string, payload: unknown, options: EnqueueOptions): void;
}

/** Throws `JobPayloadInvalidError` for a value that JSON would change, and for one that is too large. */
export function assertPayload(job: string, payload: unknown): void {
  const fault = findJsonFault(payload, 'payload');
  if (fault) throw new JobPayloadInvalidError(job, fault.place, fault.what, fault.remedy);
  const size = Buffer.byteLength(JSON.stringify(payload));
  if (size > MAX_BYTES) {
    const remedy = `Queue the id of a record that has it. At most ${MAX_BYTES} bytes are taken`;
    throw new JobPayloadInvalidError(job, 'payload', `has ${size} bytes of JSON`, remedy);
  }
}
