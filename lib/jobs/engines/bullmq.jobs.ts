/**
 * Jobs that BullMQ runs: rows of the outbox, relayed to Redis after the commit.
 * @module nestjs-files/jobs/bullmq
 */
import { Logger } from '@nestjs/common';
import { type ConnectionOptions, type Job, Queue, Worker, type WorkerOptions } from 'bullmq';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { endsWithin } from '../../unit-of-work/ends-within.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import { DIED } from '../job-engine.js';
import type { FailedJob, JobData, JobEngine, JobHost, NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { DueWatch } from '../leases/due-watch.js';
import { Outbox } from '../outbox/outbox.js';
import type { LeasedRow } from '../outbox/outbox.js';
import { writeJobs } from '../outbox/write-jobs.js';
import { GRACE, RunningJobs } from '../running-jobs.js';
import { LONGEST_TIMER, wholeNumber } from '../whole-number.js';

/** How jobs are kept and run with BullMQ. Times are in milliseconds. */
export interface BullmqJobsOptions {
  /** As in BullMQ: options of ioredis, or a client of the application, which then stays open. */
  connection: ConnectionOptions;
  /** As in BullMQ: what the keys in Redis begin with. @default 'bull' */
  prefix?: string;
  /** As in BullMQ, for the workers: `{ lockDuration: 60_000 }`. @default {} */
  worker?: Omit<WorkerOptions, 'connection' | 'prefix' | 'concurrency' | 'maxStalledCount'>;
  /** How often it looks for rows that a process left when it died, or that were delayed. @default 1000 */
  poll?: number;
  /**
   * After how long a job that is not done is relayed again, in case that Redis has lost it. It should be longer than
   * jobs wait when there are many, because each of them is relayed again then.
   * @default 300_000, five minutes
   */
  relayAgain?: number;
  /** For how long the key of a job that is done is kept. @default 86_400_000, a day */
  keepKeys?: number;
}

/**
 * Jobs are rows of `files_job` until they are done, and BullMQ runs them: one queue for each job. On every database.
 * @example FilesModule.forRoot({ storages, jobs: { engine: bullmqJobs({ connection: { host: 'redis' } }) } })
 */
export function bullmqJobs(options: BullmqJobsOptions): JobEngine {
  const {
    connection,
    prefix = 'bull',
    worker = {},
    poll = 1_000,
    relayAgain = 300_000,
    keepKeys = 86_400_000,
  } = options;
  return new BullmqEngine({
    connection,
    prefix,
    worker,
    poll: wholeNumber('poll', poll, LONGEST_TIMER),
    relayAgain: wholeNumber('relayAgain', relayAgain, LONGEST_TIMER),
    keepKeys: wholeNumber('keepKeys', keepKeys),
  });
}

type Relayed = JobData & { readonly key: string | null };

const JOBS_AT_ONCE = 500;

class BullmqEngine implements JobEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #queues = new Map<string, Queue<Relayed>>();
  readonly #workers: Worker<Relayed>[] = [];
  readonly #running = new RunningJobs();
  /** The names of jobs that are to be relayed. */
  readonly #asked = new Set<string>();
  #relaying: Promise<void> | undefined;
  #watch: DueWatch | undefined;
  #opened: { readonly host: JobHost; readonly outbox: Outbox } | undefined;
  #isStopped = false;

  constructor(private readonly options: Required<BullmqJobsOptions>) {}

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return writeJobs(manager, jobs);
  }

  start(host: JobHost): void {
    const { connection, prefix, poll, keepKeys } = this.options;
    const outbox = new Outbox(host.transactor, Date.now, keepKeys);
    this.#opened = { host, outbox };
    const told = (error: Error): void => this.#logger.warn(`BullMQ: ${error.message}`);
    for (const { name } of host.known.values())
      this.#queues.set(name, new Queue<Relayed>(name, { connection, prefix }).on('error', told));
    for (const handler of host.handlers.values()) {
      const { name, concurrency } = handler;
      // How often a process may die with a job is counted with its attempts.
      const options = {
        ...this.options.worker,
        connection,
        prefix,
        concurrency,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      };
      const worker = new Worker<Relayed>(name, (job) => this.#begin(handler, job), options);
      this.#workers.push(worker.on('error', told));
    }
    const names = [...host.known.keys()];
    if (names.length === 0) return;
    this.#watch = new DueWatch(outbox, {
      poll,
      handled: names,
      names: () => names,
      found: () => names.forEach((name) => this.#relay(name)),
    });
    this.#watch.start();
  }

  committed(jobs: readonly NewJob[]): void {
    for (const name of new Set(jobs.map((job) => job.name))) within(undefined, () => this.#relay(name));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.stop();
    const closed = this.#close().catch((error: unknown) => {
      this.#logger.warn(`BullMQ could not be closed: ${String(error)}`);
    });
    await this.#running.end(this.#opened?.host.shutdownTimeout ?? 0);
    // If Redis does not answer, workers and queues wait for it for ever.
    if (!(await endsWithin(closed, GRACE))) this.#leave();
  }

  /** A process without queues needs no Redis. */
  async ping(): Promise<void> {
    const [queue] = this.#queues.values();
    await queue?.isPaused();
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.#open.outbox.failed(limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.#open.outbox.retry(ids);
    for (const name of this.#queues.keys()) this.#relay(name);
    return count;
  }

  get #open(): { readonly host: JobHost; readonly outbox: Outbox } {
    if (!this.#opened) throw new Error('The engine was not started');
    return this.#opened;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers.map((worker) => worker.close()), this.#relaying]);
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  /** Ends connections and timers without waiting for Redis, so that the process can end. */
  #leave(): void {
    this.#logger.warn('The shutdown leaves BullMQ, whose Redis does not answer');
    const told = (error: unknown): void => this.#logger.warn(`BullMQ: ${String(error)}`);
    for (const worker of this.#workers) {
      // BullMQ 6.7 closes a worker once, and first waits for Redis: this is another close, which does not.
      worker.closing = undefined;
      worker.close(true).catch(told);
    }
    // What has said goodbye to Redis, and waits for the answer, is disconnected; what was never connected is closed.
    for (const one of [...this.#workers, ...this.#queues.values()]) {
      one.disconnect().catch(told);
      one.backend.close(true).catch(told);
    }
  }

  #relay(name: string): void {
    if (this.#isStopped || !this.#queues.has(name)) return;
    this.#asked.add(name);
    this.#relaying ??= this.#relayAsked().finally(() => (this.#relaying = undefined));
  }

  /** Never rejects. */
  async #relayAsked(): Promise<void> {
    for (const name of this.#asked) {
      this.#asked.delete(name);
      try {
        await this.#relayAll(name);
      } catch (error) {
        this.#logger.error(`Jobs "${name}" could not be relayed; that is tried again`, stackOf(error));
      }
    }
  }

  // One that is there already is not added again: a crash in between gives a second relay, and no second job.
  async #relayAll(name: string): Promise<void> {
    const { outbox } = this.#open;
    for (let count = JOBS_AT_ONCE; count === JOBS_AT_ONCE && !this.#isStopped;) {
      const jobs = await outbox.take(name, JOBS_AT_ONCE, this.options.relayAgain);
      count = jobs.length;
      try {
        if (count > 0) await this.#queues.get(name)?.addBulk(jobs.map((job) => this.#relayed(job)));
      } catch (error) {
        for (const job of jobs) await outbox.giveBack(job, this.options.poll, null, false);
        throw error;
      }
    }
  }

  #relayed({ id, name, key, data }: LeasedRow) {
    const { attempts = 1, backoff = 0 } = this.#open.host.known.get(name) ?? {};
    const opts = {
      jobId: id,
      attempts,
      backoff: { type: 'exponential', delay: backoff },
      // The row says what has become of it; what Redis kept would keep it from being run again.
      removeOnComplete: true,
      removeOnFail: true,
    };
    return { name, data: { ...data, key }, opts };
  }

  #begin(handler: JobHandler, job: Job<Relayed>): Promise<void> {
    const run = this.#run(handler, job);
    this.#running.add(run.catch(() => undefined));
    return run;
  }

  async #run({ name, attempts }: JobHandler, job: Job<Relayed>): Promise<void> {
    const { id = '', attemptsMade, stalledCounter } = job;
    const { key, ...data } = job.data;
    const attempt = attemptsMade + stalledCounter + 1;
    const { host, outbox } = this.#open;
    const giveUp = async (why: string): Promise<void> => {
      const last = Math.min(attempt, attempts);
      await host.gaveUp({ id, name, attempt: last, data }, why);
      await outbox.giveUp({ id, key }, why, last);
    };
    if (attempt > attempts) {
      await giveUp(DIED);
      return;
    }
    try {
      const done = (manager: EntityManager): Promise<boolean> => outbox.end({ id, key }, manager);
      await host.run({ id, name, attempt, data }, this.#running.signal, done);
    } catch (error) {
      // It was done, or given up, before.
      if (error instanceof JobLostError) return;
      this.#logger.warn(`Job "${name}" (${id}), attempt ${attempt}, failed: ${String(error)}`);
      if (attempt < attempts) throw error;
      await giveUp(String(error));
    }
  }
}
