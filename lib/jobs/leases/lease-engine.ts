import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { backoff } from '../backoff.js';
import { DIED } from '../job-engine.js';
import type { FailedJob, JobEngine, JobHost, NewJob, RunningEngine } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { Lane } from '../lane.js';
import { RunningJobs } from '../running-jobs.js';
import { DueWatch } from './due-watch.js';
import type { JobStore, LeasedJob } from './job-store.js';

/** Where the jobs of an engine are. Times are in milliseconds. */
export interface LeaseEngineOptions<Job extends LeasedJob> {
  /** The time between two searches for due jobs. */
  readonly poll: number;
  /** How long the lease of a job lasts. */
  readonly lease: number;
  /** As `JobEngine.write()`. */
  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void>;
  /** Called once, when the application has booted; rejects if jobs could not be kept there. */
  open(host: JobHost): Promise<JobStore<Job>> | JobStore<Job>;
}

// A lease survives one failed renewal.
const RENEWALS_PER_LEASE = 3;

/** An engine that takes jobs from tables. */
export class LeaseEngine<Job extends LeasedJob> implements JobEngine {
  constructor(private readonly options: LeaseEngineOptions<Job>) {}

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return this.options.write(manager, jobs);
  }

  async start(host: JobHost): Promise<RunningEngine> {
    return new LeaseRun(host, await this.options.open(host), this.options);
  }
}

/** A moment by both clocks: one stands still while the machine sleeps, and the other can be set. */
class Moment {
  readonly #clock = Date.now();
  readonly #timer = performance.now();

  /** Whether it was more than so many milliseconds ago, by either clock. */
  isOver(milliseconds: number): boolean {
    return Date.now() - this.#clock > milliseconds || performance.now() - this.#timer > milliseconds;
  }
}

/**
 * Takes jobs from tables by leases: nobody has to detect that a process has died, because its leases end. Begins at
 * once.
 */
class LeaseRun<Job extends LeasedJob> implements RunningEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #lanes = new Map<string, Lane<Job>>();
  readonly #running = new RunningJobs();
  readonly #leased = new Set<Job>();
  #watch: DueWatch | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #stopListening: (() => Promise<void>) | undefined;
  #isStopped = false;
  #hasEnded = false;
  #renewed = new Moment();

  constructor(
    private readonly host: JobHost,
    private readonly store: JobStore<Job>,
    private readonly options: Pick<LeaseEngineOptions<Job>, 'poll' | 'lease'>,
  ) {
    const { lease, poll } = options;
    const work = {
      take: ({ name }: JobHandler, limit: number) => this.#take(name, limit),
      run: (handler: JobHandler, job: Job) => this.#begin(handler, job),
      failed: ({ name }: JobHandler, error: unknown) =>
        this.#logger.error(`No job "${name}" could be taken; the engine tries again`, stackOf(error)),
    };
    for (const handler of host.handlers.values()) this.#lanes.set(handler.name, new Lane(handler, work));
    if (this.#lanes.size === 0) return;
    // This timer keeps a process alive that only runs jobs.
    this.#renewing = setInterval(() => void this.#renew(), Math.ceil(lease / RENEWALS_PER_LEASE));
    void this.#renew();
    const lanes = [...this.#lanes.values()];
    const watch = new DueWatch(store, {
      poll,
      handled: [...this.#lanes.keys()],
      names: () => lanes.filter((lane) => lane.hasRoom).map(({ handler }) => handler.name),
      found: () => lanes.forEach((lane) => lane.wake()),
    });
    this.#watch = watch;
    this.#stopListening = store.listen?.(() => watch.wake());
    watch.start();
  }

  committed(jobs: readonly NewJob[]): void {
    for (const name of new Set(jobs.map((job) => job.name))) this.#wake(name);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const lanes = [...this.#lanes.values()].map((lane) => lane.close());
    await this.#running.end(
      this.host.shutdownTimeout,
      Promise.all([this.#watch?.stop(), this.#stopListening?.(), ...lanes]),
    );
    clearInterval(this.#renewing);
    this.#hasEnded = true;
  }

  ping(): Promise<void> {
    return this.store.ping();
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.store.failed(limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.store.retry(ids);
    for (const name of this.#lanes.keys()) this.#wake(name);
    return count;
  }

  #wake(name: string): void {
    if (!this.#isStopped) this.#lanes.get(name)?.wake();
  }

  async #take(name: string, limit: number): Promise<readonly Job[]> {
    const { lease } = this.options;
    // A machine that was asleep, or whose clock was set, comes here before its timers: its own jobs seem to be left.
    if (this.#leased.size > 0 && this.#renewed.isOver(lease / RENEWALS_PER_LEASE) && !(await this.#renew())) return [];
    return this.store.take(name, limit, lease);
  }

  /** Whether the leases were renewed. Never rejects. */
  async #renew(): Promise<boolean> {
    const { store } = this;
    const { lease } = this.options;
    const jobs = [...this.#leased];
    const now = new Moment();
    let isRenewed = false;
    try {
      if (jobs.length > 0) await store.extend(jobs, lease);
      this.#renewed = now;
      isRenewed = true;
    } catch (error) {
      this.#warn(`The leases of ${jobs.length} job(s) could not be renewed: ${String(error)}`);
    }
    try {
      if (!this.#isStopped) await store.reclaim?.(lease);
    } catch (error) {
      this.#warn(`The leases of processes that died could not be ended: ${String(error)}`);
    }
    return isRenewed;
  }

  /** A renewal that the shutdown did not wait for fails where the database is closed. */
  #warn(message: string): void {
    if (!this.#hasEnded) this.#logger.warn(message);
  }

  #begin(handler: JobHandler, job: Job): Promise<void> {
    this.#leased.add(job);
    const run = this.#run(handler, job)
      .catch((error: unknown) => {
        this.#logger.error(`The job "${job.name}" (${job.id}) can run again when its lease ends`, stackOf(error));
      })
      .finally(() => this.#leased.delete(job));
    this.#running.add(run);
    return run;
  }

  async #run(handler: JobHandler, job: Job): Promise<void> {
    const { id, name, attempts: attempt, data } = job;
    const { host, store } = this;
    const { signal } = this.#running;
    // It was taken when the shutdown had no time left for it.
    if (signal.aborted) return store.giveBack(job, 0, job.lastError, false);
    if (attempt > handler.attempts) {
      await this.#giveUp(handler, job, job.lastError ?? DIED);
      return;
    }
    try {
      await host.run({ id, name, attempt, data }, signal, (manager) => store.end(job, manager));
    } catch (error) {
      if (error instanceof JobLostError) this.#logger.warn(error.message);
      else if (signal.aborted) await store.giveBack(job, 0, job.lastError, false);
      else if (attempt >= handler.attempts) await this.#giveUp(handler, job, String(error), error);
      else await this.#tryAgain(handler, job, error);
    }
  }

  async #tryAgain(handler: JobHandler, job: Job, error: unknown): Promise<void> {
    const wait = backoff(handler, job.attempts);
    await this.store.giveBack(job, wait, String(error), true);
    const { name, id, attempts } = job;
    this.#logger.warn(
      `Job "${name}" (${id}), attempt ${attempts}, failed; the next one is in ${wait} ms: ${String(error)}`,
    );
  }

  async #giveUp(handler: JobHandler, job: Job, why: string, error?: unknown): Promise<void> {
    const { host, store } = this;
    const { name, id, data } = job;
    const attempt = Math.min(job.attempts, handler.attempts);
    await host.gaveUp({ id, name, attempt, data }, why);
    await store.giveUp(job, why, attempt);
    this.#logger.error(
      `Job "${name}" (${id}) failed and is given up; FilesJobs.retry() runs it again: ${why}`,
      stackOf(error),
    );
  }
}
