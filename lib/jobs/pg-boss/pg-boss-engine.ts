import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobLostError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import { DIED } from '../job-engine.js';
import type { FailedJob, JobEngine, JobHost, NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { Lane } from '../lane.js';
import { RunningJobs } from '../running-jobs.js';
import { dbOf, isTen, SPARE_ATTEMPTS } from './boss.js';
import type { Boss, Fetched } from './boss.js';
import { BossFailures } from './boss-failures.js';
import { BossQueues } from './boss-queues.js';

/** Runs the jobs of pg-boss: a lane for each queue. */
export class PgBossEngine implements JobEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #lanes = new Map<string, Lane<Fetched>>();
  readonly #running = new RunningJobs();
  readonly #queues: BossQueues;
  readonly #failures: BossFailures;
  #host: JobHost | undefined;
  #polling: NodeJS.Timeout | undefined;

  constructor(
    private readonly boss: Boss,
    private readonly schema: string,
    private readonly poll: number,
  ) {
    this.#queues = new BossQueues(boss);
    this.#failures = new BossFailures(boss, schema);
  }

  write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    return this.#queues.write(manager, jobs);
  }

  async start(host: JobHost): Promise<void> {
    this.#host = host;
    const work = {
      take: ({ name }: JobHandler, batchSize: number) => this.boss.fetch(name, { batchSize, includeMetadata: true }),
      run: (handler: JobHandler, job: Fetched) => this.#begin(host, handler, job),
      failed: ({ name }: JobHandler, error: unknown) =>
        this.#logger.error(`No job "${name}" could be taken; the engine tries again`, stackOf(error)),
    };
    for (const handler of host.known.values()) await this.#queues.create(handler);
    for (const handler of host.handlers.values()) this.#lanes.set(handler.name, new Lane(handler, work));
    if (this.#lanes.size === 0) return;
    this.#wakeAll();
    this.#polling = setInterval(() => this.#wakeAll(), this.poll);
  }

  committed(jobs: readonly NewJob[]): void {
    for (const name of new Set(jobs.map((job) => job.name))) within(undefined, () => this.#lanes.get(name)?.wake());
  }

  async stop(): Promise<void> {
    clearInterval(this.#polling);
    for (const lane of this.#lanes.values()) await lane.close();
    await this.#running.end(this.#host?.shutdownTimeout ?? 0);
  }

  async ping(): Promise<void> {
    // A stopped one answers with nothing.
    const answer: unknown = await this.boss.getDb().executeSql(`SELECT version FROM ${this.schema}.version`);
    if (!answer) throw new Error('pg-boss is stopped');
  }

  failed(limit: number): Promise<FailedJob[]> {
    return this.#failures.list(this.#queues.names, limit);
  }

  async retry(ids: readonly string[]): Promise<number> {
    const count = await this.#failures.retry(ids, this.#queues.names, this.#host?.known ?? new Map());
    this.#wakeAll();
    return count;
  }

  #wakeAll(): void {
    for (const lane of this.#lanes.values()) lane.wake();
  }

  #begin(host: JobHost, handler: JobHandler, job: Fetched): Promise<void> {
    const run = this.#run(host, handler, job).catch((error: unknown) => {
      this.#logger.error(`The job "${handler.name}" (${job.id}) is left to the end of its time`, stackOf(error));
    });
    this.#running.add(run);
    return run;
  }

  async #run(host: JobHost, { name, attempts }: JobHandler, job: Fetched): Promise<void> {
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
