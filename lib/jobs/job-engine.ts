import type { EntityManager } from 'typeorm';
import type { JobCarrier } from '../diagnostics/traces.js';
import type { Transactor } from '../unit-of-work/transactor.js';
import type { JobHandler } from './job-handlers.js';

/** The part of a job that is written as JSON. */
export interface JobData {
  /** The payload for the handler. */
  readonly payload: unknown;
  /** The trace to which the runs are linked. */
  readonly carrier?: JobCarrier;
}

/** The error of a job whose process died during the last attempt. */
export const DIED = 'Its process died during the last attempt.';

/** A job that is about to be written. */
export interface NewJob {
  /** A time-ordered UUID. */
  readonly id: string;
  readonly name: string;
  readonly key: string | null;
  readonly data: JobData;
  /** When it was queued. */
  readonly createdAt: Date;
  /** From when on it may run. */
  readonly dueAt: Date;
  /** The handler, where this process has one. */
  readonly handler: JobHandler | undefined;
}

/** A job that this process has taken. */
export interface TakenJob {
  readonly id: string;
  readonly name: string;
  /** Counts from 1. */
  readonly attempt: number;
  readonly data: JobData;
}

/** A job that was given up. */
export interface FailedJob {
  /** For `FilesJobs.retry()`. */
  readonly id: string;
  /** The job's name. */
  readonly name: string;
  /** What its handler got. */
  readonly payload: unknown;
  /** How often it was run. */
  readonly attempts: number;
  /** What the last run threw. */
  readonly error: string | null;
  /** When it was given up. */
  readonly failedAt: Date;
}

/** What an engine runs jobs with. */
export interface JobHost {
  readonly transactor: Transactor;
  /** The handlers of the application. */
  readonly known: ReadonlyMap<string, JobHandler>;
  /** The handlers whose jobs this process runs. Empty if it only queues jobs. */
  readonly handlers: ReadonlyMap<string, JobHandler>;
  /** How many milliseconds a shutdown waits for runs. */
  readonly shutdownTimeout: number;
  /**
   * Runs the job's handler and, in the same commit, `done`, which tells whether the job was still this run's; if not,
   * the run is rolled back with `JobLostError`. Rejects with what the handler throws.
   */
  run(job: TakenJob, signal: AbortSignal, done: (manager: EntityManager) => Promise<boolean>): Promise<void>;
  /**
   * Tells the handler that its job is given up, also one whose process died in the last attempt. An engine does so
   * before it gives the job up, and again if that fails.
   */
  gaveUp(job: TakenJob, why: string): Promise<void>;
}

/**
 * Stores jobs and runs them: `outboxJobs()` makes one. Applications may share it, one after the other or side by side:
 * what belongs to one of them is in its `RunningEngine`. Its members are for the library alone.
 */
export interface JobEngine {
  /**
   * Begins to run the jobs of an application that has booted. Jobs may be written before.
   * @internal
   */
  start(host: JobHost): Promise<RunningEngine> | RunningEngine;
  /**
   * Writes the jobs of one unit of work in its transaction, by one statement.
   * @internal
   */
  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void>;
}

/** An engine from the boot of an application to its shutdown. */
export interface RunningEngine {
  /** Hears that jobs were committed. */
  committed?(jobs: readonly NewJob[]): void;
  /**
   * Takes no job any more, and resolves when those that run have ended: after `shutdownTimeout` they are aborted, and
   * 6 s later everything that has not ended is left.
   */
  stop(): Promise<void>;
  /** The jobs that were given up, the last one first. */
  failed(limit: number): Promise<FailedJob[]>;
  /** Throws unless the engine's server answers; one cheap request. */
  ping?(): Promise<void>;
  /** Lets jobs that were given up run again, from their first attempt on; gives how many there were. */
  retry(ids: readonly string[]): Promise<number>;
}
