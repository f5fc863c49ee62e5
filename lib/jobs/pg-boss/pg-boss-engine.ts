import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { DIED } from '../job-engine.js';
import type { FailedJob, JobEngine, JobHost, NewJob, RunningEngine } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { Lane } from '../lane.js';
import { RunningJobs } from '../running-jobs.js';
import { dbOf, isTen, SPARE_ATTEMPTS } from './boss.js';
import type { Boss, Fetched } from './boss.js';
import { BossFailures } from './boss-failures.js';
import { BossQueues } from './boss-queues.js';

/** Keeps jobs in pg-boss. */
export class PgBossEngine implements JobEngine {
  readonly #queues: BossQueues;

  constructor(
    private readonly boss: Boss,
    private readonly schema: string,
    private readonly poll: number,
  ) {
    this.#queues = new BossQueues(boss);
  }

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return this.#queues.write(manager, jobs);
  }

  async start(host: JobHost): Promise<RunningEngine> {
    for (const handler of host.known.values()) await this.#queues.create(handler);
    return new PgBossRun(host, this.boss, this.schema, this.#queues, this.poll);
  }
}

/** Runs the jobs of pg-boss: a lane for each queue. Begins at once. */
class PgBossRun implements RunningEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #lanes: readonly Lane<Fetched>[];
  readonly #running = new RunningJobs();
  readonly #failures: BossFailures;
  readonly #polling: NodeJS.Timeout | undefined;

  constructor(
    private readonly host: JobHost,
    private readonly boss: Boss,
    private readonly schema: string,
    private readonly queues: BossQueues,
    poll: number,
  ) {
    this.#failures = new BossFailures(boss, schema);
    const work = {
      take: ({ name }: JobHandler, batchSize: number) => boss.fetch(name, { batchSize, includeMetadata: true }),
      run: (handler: JobHandler, job: Fetched) => this.#begin(handler, job),
      failed: ({ name }: JobHandler, error: unknown) =>
        this.#logger.error(`No job "${name}" could be taken; the engine tries again`, stackOf(error)),
    };
    this.#lanes = [...host.handlers.values()].map((handler) => new Lane(handler, work));
    if (this.#lanes.length === 0) return;
    this.#wakeAll();
    this.#polling = setInterval(() => this.#wakeAll(), poll);
  }

  committed(jobs: readonly NewJob[]): void {
    const names = new Set(jobs.map((job) => job.name));
    for (const lane of this.#lanes) if (names.has(lane.handler.name)) lane.wake();
  }

  async stop(): Promise<void> {
    clearInterval(this.#polling);
    await this.#running.end(this.host.shutdownTimeout, Promise.all(this.#lanes.map((lane) => lane.close())));
  }

  async ping(): Promise<void> {
    // A stopped one answers with nothing.
    const answer: unknown = await this.boss.getDb().executeSql(`SELECT version FROM ${this.schema}.version`);
    if (!answer) throw new Error('pg-boss is stopped');
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.#failures.list(this.queues.names, limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.#failures.retry(ids, this.queues.names, this.host.known);
    this.#wakeAll();
    return count;
  }

  #wakeAll(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  #begin(handler: JobHandler, job: Fetched): Promise<void> {
    const run = this.#run(handler, job).catch((error: unknown) => {
      this.#logger.error(`The job "${handler.name}" (${job.id}) is left to the end of its time`, stackOf(error));
    });
    this.#running.add(run);
    return run;
  }

  async #run({ name, attempts }: JobHandler, job: Fetched): Promise<void> {
    const { host } = this;
    // It was taken when the shutdown had no time left for it. Its time ends, and it is run again.
    if (this.#running.signal.aborted) return;
    const { id, data, retryCount, retryLimit } = job;
    /** How many attempts are left after this one. */
    const left = Math.max(retryLimit - SPARE_ATTEMPTS, 0) - retryCount;
    const attempt = Math.min(Math.max(attempts - left, 1), attempts);
    const taken = { id, name, attempt, data };
    if (left < 0) {
      await host.gaveUp(taken, DIED);
      await this.#failures.giveUp(name, job, new Error(DIED));
      this.#logger.error(`Job "${name}" (${id}) is given up: ${DIED}`);
      return;
    }
    // From version 12 on, only if the job was not taken by somebody else meanwhile.
    const mine = isTen(this.boss) ? id : { id, retryCount };
    const done = async (manager: EntityManager): Promise<boolean> =>
      (await this.boss.complete(name, mine, null, { db: dbOf(manager) })).affected === 1;
    try {
      await host.run(taken, this.#running.signal, done);
    } catch (error) {
      if (error instanceof JobLostError) {
        this.#logger.warn(error.message);
        return;
      }
      const isOver = left === 0;
      if (isOver) {
        await host.gaveUp(taken, String(error));
        await this.#failures.giveUp(name, job, error);
      } else {
        await this.boss.fail(name, mine, error);
      }
      const end = isOver ? 'is given up' : 'is run again';
      this.#logger.warn(`Job "${name}" (${id}), attempt ${attempt}, failed and ${end}: ${String(error)}`);
    }
  }
}
