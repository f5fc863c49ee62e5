import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import { backoff } from '../backoff.js';
import type { FailedJob, JobEngine, JobHost, NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { Lane } from '../lane.js';
import { RunningJobs } from '../running-jobs.js';
import { LONGEST_TIMER, wholeNumber } from '../whole-number.js';
import { Outbox } from './outbox.js';
import { OutboxWatch } from './outbox-watch.js';
import type { LeasedJob } from './outbox.js';
import { writeJobs } from './write-jobs.js';

/** The options of the default engine. Times are in milliseconds. */
export interface OutboxJobsOptions {
  /** The time between two searches for due jobs: jobs that another process queued, delayed jobs, and jobs of a process that died. @default 1000 */
  poll?: number;
  /** How long the lease of a job lasts. The process renews it while the job runs. If the process dies, the job runs again after this time. @default 60_000 */
  lease?: number;
  /** How long the key of a completed job is kept. @default 86_400_000, a day */
  keepKeys?: number;
}

/**
 * Creates the default engine. It stores jobs as rows of `files_job`, and takes them from there to run them. It needs only the database.
 * @example FilesModule.forRoot({ storages, jobs: { engine: outboxJobs({ lease: 300_000 }) } })
 */
export function outboxJobs({ poll = 1_000, lease = 60_000, keepKeys = 86_400_000 }: OutboxJobsOptions = {}): JobEngine {
  return new OutboxEngine({
    poll: wholeNumber('poll', poll, LONGEST_TIMER),
    lease: wholeNumber('lease', lease, LONGEST_TIMER),
    keepKeys: wholeNumber('keepKeys', keepKeys),
  });
}

// A lease survives one failed renewal.
const RENEWALS_PER_LEASE = 3;

class OutboxEngine implements JobEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #lanes = new Map<string, Lane<LeasedJob>>();
  readonly #running = new RunningJobs();
  readonly #leased = new Set<LeasedJob>();
  #host: JobHost | undefined;
  #watch: OutboxWatch | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(private readonly options: Required<OutboxJobsOptions>) {}

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return writeJobs(manager, jobs);
  }

  start(host: JobHost): void {
    this.#host = host;
    const work = {
      take: ({ name }: JobHandler, limit: number) => this.#outbox.take(name, limit, this.options.lease),
      run: (handler: JobHandler, job: LeasedJob) => this.#begin(handler, job),
      failed: ({ name }: JobHandler, error: unknown) =>
        this.#logger.error(`No job "${name}" could be taken; the engine tries again`, stackOf(error)),
    };
    for (const handler of host.handlers.values()) this.#lanes.set(handler.name, new Lane(handler, work));
    if (this.#lanes.size === 0) return;
    // This timer keeps a process alive that only runs jobs.
    this.#renewing = setInterval(() => void this.#renew(), Math.ceil(this.options.lease / RENEWALS_PER_LEASE));
    const lanes = [...this.#lanes.values()];
    this.#watch = new OutboxWatch(this.#outbox, [...this.#lanes.keys()], {
      ...this.options,
      names: () => lanes.filter((lane) => lane.hasRoom).map(({ handler }) => handler.name),
      found: () => lanes.forEach((lane) => lane.wake()),
    });
    this.#watch.start();
  }

  committed(jobs: readonly NewJob[]): void {
    for (const name of new Set(jobs.map((job) => job.name))) within(undefined, () => this.#wake(name));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.stop();
    for (const lane of this.#lanes.values()) await lane.close();
    await this.#running.end(this.#host?.shutdownTimeout ?? 0);
    clearInterval(this.#renewing);
  }

  ping(): Promise<void> {
    return this.#outbox.ping();
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.#outbox.failed(limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.#outbox.retry(ids);
    for (const name of this.#lanes.keys()) this.#wake(name);
    return count;
  }

  get #outbox(): Outbox {
    if (!this.#host) throw new Error('The engine was not started');
    return new Outbox(this.#host.transactor, Date.now);
  }

  #wake(name: string): void {
    if (!this.#isStopped) this.#lanes.get(name)?.wake();
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const jobs = [...this.#leased];
    if (jobs.length === 0) return;
    try {
      await this.#outbox.extend(jobs, this.options.lease);
    } catch (error) {
      this.#logger.warn(`The leases of ${jobs.length} job(s) could not be renewed: ${String(error)}`);
    }
  }

  #begin(handler: JobHandler, job: LeasedJob): Promise<void> {
    this.#leased.add(job);
    const run = this.#run(handler, job)
      .catch((error: unknown) => {
        this.#logger.error(`The job "${job.name}" (${job.id}) can run again when its lease ends`, stackOf(error));
      })
      .finally(() => this.#leased.delete(job));
    this.#running.add(run);
    return run;
  }

  async #run(handler: JobHandler, job: LeasedJob): Promise<void> {
    const { id, name, attempts: attempt, data } = job;
    const { signal } = this.#running;
    if (attempt > handler.attempts) {
      await this.#giveUp(job, job.lastError ?? 'Its process died during the last attempt.');
      return;
    }
    try {
      await this.#host?.run({ id, name, attempt, data }, signal, (manager) => this.#outbox.end(job, manager));
    } catch (error) {
      if (error instanceof JobLostError) this.#logger.warn(error.message);
      else if (signal.aborted) await this.#outbox.giveBack(job, new Date(), job.lastError, false);
      else if (attempt >= handler.attempts) await this.#giveUp(job, String(error), error);
      else await this.#tryAgain(handler, job, error);
    }
  }

  async #tryAgain(handler: JobHandler, job: LeasedJob, error: unknown): Promise<void> {
    const wait = backoff(handler, job.attempts);
    await this.#outbox.giveBack(job, new Date(Date.now() + wait), String(error), true);
    const { name, id, attempts } = job;
    this.#logger.warn(
      `Job "${name}" (${id}), attempt ${attempts}, failed; the next one is in ${wait} ms: ${String(error)}`,
    );
  }

  async #giveUp(job: LeasedJob, why: string, error?: unknown): Promise<void> {
    await this.#outbox.giveUp(job, why, job.attempts);
    const { name, id } = job;
    this.#logger.error(
      `Job "${name}" (${id}) failed and is given up; FilesJobs.retry() runs it again: ${why}`,
      stackOf(error),
    );
  }
}
