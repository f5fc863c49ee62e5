import type { EntityManager } from 'typeorm';
import type { FailedJob, JobData } from '../job-engine.js';

/** A job that this process has taken, with the lease that it was taken by. */
export interface LeasedJob {
  readonly id: string;
  readonly name: string;
  readonly data: JobData;
  /** How often it was taken, this time included. */
  readonly attempts: number;
  /** What its last run threw. */
  readonly lastError: string | null;
  /** Fresh each time it is taken. */
  readonly leaseOwner: string;
}

/** Committed jobs in tables, each of which one process at a time has by a lease. Times are in milliseconds. */
export interface JobStore<Job extends LeasedJob = LeasedJob> {
  /** Whether any job of these names is due. */
  isDue(names: readonly string[]): Promise<boolean>;
  /**
   * Takes due jobs, the one that was due first at first; nobody else gets them for `lease`. Each has its attempt
   * counted.
   */
  take(name: string, limit: number, lease: number): Promise<readonly Job[]>;
  /** Ends a job that has been run, in the manager's transaction: `false` if it is not the lease's any more. */
  end(job: Job, manager: EntityManager): Promise<boolean>;
  /** Lets any process take the job after `wait`. If `counts` is false, this attempt is not counted. */
  giveBack(job: Job, wait: number, lastError: string | null, counts: boolean): Promise<void>;
  /** Gives a job up. */
  giveUp(job: Job, lastError: string, attempts: number): Promise<void>;
  /** Lets the leases of jobs that still run last for another `lease`. */
  extend(jobs: readonly Job[], lease: number): Promise<void>;
  /** Ends the leases of processes that have died. A store without it sees by itself that they have ended. */
  reclaim?(lease: number): Promise<void>;
  /** Removes what is not needed any more; called once a minute, with the names that this process has handlers for. */
  tidy?(handled: readonly string[]): Promise<void>;
  /** Calls `heard` whenever another process may have queued jobs, until the function is called that it gives. */
  listen?(heard: () => void): () => Promise<void>;
  /** Throws unless the jobs can be read. */
  ping(): Promise<void>;
  /** As `JobEngine.failed()`. */
  failed(limit: number): Promise<FailedJob[]>;
  /** As `JobEngine.retry()`. */
  retry(ids: readonly string[]): Promise<number>;
}
