import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';

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
