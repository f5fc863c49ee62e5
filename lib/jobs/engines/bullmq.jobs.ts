/**
 * Jobs that BullMQ runs: rows of the outbox, relayed to Redis after the commit.
 * @module nestjs-files/jobs/bullmq
 */
import { Logger } from '@nestjs/common';
import { type ConnectionOptions, isRedisInstance, type Job, Queue, Worker, type WorkerOptions } from 'bullmq';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { endsWithin, LONGEST_TIMER } from '../../unit-of-work/ends-within.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import { untilAborted } from '../../unit-of-work/until-aborted.js';
import { DIED } from '../job-engine.js';
import type { FailedJob, JobData, JobEngine, JobHost, NewJob, RunningEngine } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { DueWatch } from '../leases/due-watch.js';
import { Outbox } from '../outbox/outbox.js';
import type { LeasedRow } from '../outbox/outbox.js';
import { writeJobs } from '../outbox/write-jobs.js';
import { RunningJobs } from '../running-jobs.js';
import { wholeNumber } from '../whole-number.js';

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
/** How many milliseconds a shutdown that leaves Redis waits for the database. */
const GIVING_BACK = 1_000;

class BullmqEngine implements JobEngine {
  constructor(private readonly options: Required<BullmqJobsOptions>) {}

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return writeJobs(manager, jobs);
  }

  start(host: JobHost): RunningEngine {
    return new BullmqRun(host, this.options);
  }
}

/** Relays rows of the outbox to BullMQ, and has it run them. Begins at once. */
class BullmqRun implements RunningEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #queues = new Map<string, Queue<Relayed>>();
  readonly #workers: Worker<Relayed>[] = [];
  readonly #running = new RunningJobs();
  readonly #outbox: Outbox;
  /** The names of jobs that are to be relayed. */
  readonly #asked = new Set<string>();
  #relaying: Promise<void> | undefined;
  readonly #watch: DueWatch | undefined;
  #isStopped = false;
  readonly #left = new AbortController();

  constructor(
    private readonly host: JobHost,
    private readonly options: Required<BullmqJobsOptions>,
  ) {
    const { connection, prefix, poll, keepKeys } = options;
    this.#outbox = new Outbox(host.transactor, Date.now, keepKeys);
    const told = (error: Error): void => this.#logger.warn(`BullMQ: ${error.message}`);
    for (const { name } of host.known.values())
      this.#queues.set(name, new Queue<Relayed>(name, { connection, prefix }).on('error', told));
    for (const handler of host.handlers.values()) {
      const { name, concurrency } = handler;
      // How often a process may die with a job is counted with its attempts.
      const settings = {
        ...options.worker,
        connection,
        prefix,
        concurrency,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      };
      const worker = new Worker<Relayed>(name, (job) => this.#begin(handler, job), settings);
      this.#workers.push(worker.on('error', told));
    }
    const names = [...host.known.keys()];
    if (names.length === 0) return;
    this.#watch = new DueWatch(this.#outbox, {
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
    const closed = this.#close().catch((error: unknown) => {
      this.#logger.warn(`BullMQ could not be closed: ${String(error)}`);
    });
    // If Redis does not answer, workers and queues wait for it for ever.
    if (!(await this.#running.end(this.host.shutdownTimeout, closed))) await this.#leave();
  }

  /** A process without queues needs no Redis. */
  async ping(): Promise<void> {
    const [queue] = this.#queues.values();
    await queue?.isPaused();
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.#outbox.failed(limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.#outbox.retry(ids);
    for (const name of this.#queues.keys()) this.#relay(name);
    return count;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers.map((worker) => worker.close()), this.#watch?.stop(), this.#relaying]);
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  /**
   * Ends connections and timers without waiting for Redis, so that the process can end. Jobs that were being relayed
   * are given back.
   */
  async #leave(): Promise<void> {
    this.#logger.warn('The shutdown leaves BullMQ: Redis, or the database, does not answer');
    this.#left.abort(new Error('The shutdown does not wait for Redis'));
    const told = (error: unknown): void => this.#logger.warn(`BullMQ: ${String(error)}`);
    for (const worker of this.#workers) {
      // BullMQ 6.7 closes a worker once, and first waits for Redis: this is another close, which does not.
      // https://github.com/taskforcesh/bullmq/issues/4656
      worker.closing = undefined;
      worker.close(true).catch(told);
      worker.backend.disconnectBlocking(false).catch(told);
    }
    for (const queue of this.#queues.values()) queue.backend.close(true).catch(told);
    // `disconnect()` would also end a client of the application, for all who use it.
    if (!isRedisInstance(this.options.connection))
      for (const one of [...this.#workers, ...this.#queues.values()]) one.disconnect().catch(told);
    await endsWithin(Promise.resolve(this.#relaying), GIVING_BACK);
  }

  #relay(name: string): void {
    if (this.#isStopped) return;
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
        if (!this.#isStopped)
          this.#logger.error(`Jobs "${name}" could not be relayed; that is tried again`, stackOf(error));
      }
    }
  }

  // One that is there already is not added again: a crash in between gives a second relay, and no second job.
  async #relayAll(name: string): Promise<void> {
    const queue = this.#queues.get(name);
    if (!queue) return;
    for (let count = JOBS_AT_ONCE; count === JOBS_AT_ONCE && !this.#isStopped;) {
      const jobs = await this.#outbox.take(name, JOBS_AT_ONCE, this.options.relayAgain);
      count = jobs.length;
      try {
        const relayed = jobs.map((job) => this.#relayed(job));
        if (count > 0) await untilAborted(queue.addBulk(relayed), this.#left.signal);
      } catch (error) {
        for (const job of jobs) await this.#outbox.giveBack(job, this.options.poll, null, false);
        throw error;
      }
    }
  }

  #relayed({ id, name, key, data }: LeasedRow) {
    const { attempts = 1, backoff = 0 } = this.host.known.get(name) ?? {};
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
    // It was taken when the shutdown had no time left for it. The row stays open, and is relayed again.
    this.#running.signal.throwIfAborted();
    const { id = '', attemptsMade, stalledCounter } = job;
    const { key, ...data } = job.data;
    const attempt = attemptsMade + stalledCounter + 1;
    const { host } = this;
    const outbox = this.#outbox;
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
