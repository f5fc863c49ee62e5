/**
 * Jobs in the tables of pg-boss, written in the transaction of the unit of work.
 * @module nestjs-files/jobs/pg-boss
 */
import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobLostError, JobsRefusedError } from '../../errors/jobs.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import type { FailedJob, JobData, JobEngine, JobHost, NewJob } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';
import { Lane } from '../lane.js';
import { RunningJobs } from '../running-jobs.js';
import { LONGEST_TIMER, wholeNumber } from '../whole-number.js';

/** An instance of pg-boss, version 10 or 12, that the application has started and will stop. */
export interface PgBossInstance {
  /** As in pg-boss. */
  createQueue(name: string, options?: never): Promise<unknown>;
  /** As in pg-boss. */
  getQueue(name: string): Promise<object | null>;
  /** As in pg-boss. */
  insert(...args: never[]): Promise<unknown>;
  /** As in pg-boss. */
  fetch(name: string, options: never): Promise<unknown>;
  /** As in pg-boss. */
  complete(...args: never[]): Promise<unknown>;
  /** As in pg-boss. */
  fail(...args: never[]): Promise<unknown>;
  /** As in pg-boss. */
  retry(name: string, ids: string[]): Promise<unknown>;
  /** As in pg-boss. */
  getDb(): {
    /** As in pg-boss. */
    executeSql(...args: never[]): Promise<unknown>;
  };
}

/** How jobs are run with pg-boss. */
export interface PgBossJobsOptions {
  /** The schema of its tables. @default 'pgboss' */
  schema?: string;
  /** How often it is asked for jobs that another process has queued, in milliseconds. @default 1000 */
  poll?: number;
}

/**
 * Keeps jobs with the application's own pg-boss, on the PostgreSQL of the data source: one queue for each job. The queues of the
 * application's handlers are made at boot.
 * @example FilesModule.forRoot({ storages, jobs: { engine: pgBossJobs(boss) } })
 */
export function pgBossJobs(
  boss: PgBossInstance,
  { schema = 'pgboss', poll = 1_000 }: PgBossJobsOptions = {},
): JobEngine {
  return new PgBossEngine(boss as unknown as Boss, schema, wholeNumber('poll', poll, LONGEST_TIMER));
}

interface Db {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

interface Fetched {
  readonly id: string;
  readonly data: JobData;
  readonly retryCount: number;
}

/** What both versions have of it. */
interface Boss extends Omit<PgBossInstance, 'createQueue' | 'insert' | 'fetch' | 'complete' | 'fail' | 'getDb'> {
  createQueue(name: string, options: object): Promise<unknown>;
  getDb(): Db;
  insert(...args: unknown[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<Fetched[]>;
  complete(name: string, job: unknown, data: object | null, options: { db: Db }): Promise<{ affected: number }>;
  fail(name: string, job: unknown, data: unknown): Promise<unknown>;
}

// As long as there are dates: its keys are good for so many seconds from 1970 on.
const FOR_EVER = 2 ** 31 - 1;
// From the end of a run to the moment at which pg-boss takes its process for dead.
const GRACE_SECONDS = 60;
const LONGEST_RUN_SECONDS = 86_400 - GRACE_SECONDS - 1;

class PgBossEngine implements JobEngine {
  readonly #logger = new Logger('FilesJobs');
  readonly #lanes = new Map<string, Lane<Fetched>>();
  readonly #running = new RunningJobs();
  readonly #queues = new Set<string>();
  #host: JobHost | undefined;
  #polling: NodeJS.Timeout | undefined;

  constructor(
    private readonly boss: Boss,
    private readonly schema: string,
    private readonly poll: number,
  ) {}

  async write(manager: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    for (const name of byName(jobs).keys()) await this.#assertQueue(name);
    const inserted = new Set<unknown>();
    const executeSql: Db['executeSql'] = async (text, values = []) => {
      // Version 10 has no way to tell which jobs it took.
      const sql = this.#isTen ? `${text} RETURNING id` : text;
      const rows = await sendSql(manager, sql, values);
      for (const { id } of rows) inserted.add(id);
      return { rows };
    };
    const options = { db: { executeSql }, returnId: true };
    if (this.#isTen) await this.boss.insert(jobs.map(insertion), options);
    else for (const [name, those] of byName(jobs)) await this.boss.insert(name, those.map(insertion), options);
    // One whose key is there already is left out, as it should be.
    const lost = jobs.find(({ id, key }) => key === null && !inserted.has(id));
    if (!lost) return;
    this.#queues.delete(lost.name);
    throw new JobsRefusedError(`pg-boss did not take the job "${lost.name}". See whether its queue is there`);
  }

  async start(host: JobHost): Promise<void> {
    this.#host = host;
    const work = {
      take: ({ name }: JobHandler, batchSize: number) => this.boss.fetch(name, { batchSize, includeMetadata: true }),
      run: (handler: JobHandler, job: Fetched) => this.#begin(handler, job),
      failed: ({ name }: JobHandler, error: unknown) =>
        this.#logger.error(`No job "${name}" could be taken; the engine tries again`, stackOf(error)),
    };
    for (const handler of host.known.values()) {
      await this.boss.createQueue(handler.name, queueOptions(handler));
      this.#queues.add(handler.name);
    }
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
    const answer = await (this.boss
      .getDb()
      .executeSql(`SELECT version FROM ${this.schema}.version`) as Promise<unknown>);
    if (!answer) throw new Error('pg-boss is stopped');
  }

  async failed(limit: number): Promise<FailedJob[]> {
    const { rows } = await this.#failedRows('TRUE', limit);
    return rows as FailedJob[];
  }

  async retry(ids: readonly string[]): Promise<number> {
    const { rows } = await this.#failedRows('id = ANY($3::uuid[])', ids.length, ids);
    for (const [name, those] of byName(rows as FailedJob[]))
      await this.boss.retry(
        name,
        those.map(({ id }) => id),
      );
    this.#wakeAll();
    return rows.length;
  }

  /** Version 10 inserts jobs of several queues at once. */
  get #isTen(): boolean {
    return 'archive' in this.boss;
  }

  #failedRows(condition: string, limit: number, ...more: unknown[]): Promise<{ rows: unknown[] }> {
    const columns =
      `id, name, data->'payload' AS payload, retry_count + 1 AS attempts, ` +
      `output->>'message' AS error, completed_on AS "failedAt"`;
    return this.boss
      .getDb()
      .executeSql(
        `SELECT ${columns} FROM ${this.schema}.job WHERE state = 'failed' AND name = ANY($1::text[]) AND ${condition} ` +
          'ORDER BY completed_on DESC, id DESC LIMIT $2',
        [[...this.#queues], limit, ...more],
      );
  }

  /** pg-boss 10 passes over jobs of queues that are not there, without a word. */
  async #assertQueue(name: string): Promise<void> {
    if (this.#queues.has(name)) return;
    if (!(await this.boss.getQueue(name)))
      throw new JobsRefusedError(
        `pg-boss has no queue "${name}". An application with its handler makes it at boot: start that first, or call boss.createQueue('${name}')`,
      );
    this.#queues.add(name);
  }

  #wakeAll(): void {
    for (const lane of this.#lanes.values()) lane.wake();
  }

  #begin(handler: JobHandler, job: Fetched): Promise<void> {
    const run = this.#run(handler, job).catch((error: unknown) => {
      this.#logger.error(`The job "${handler.name}" (${job.id}) is left to the end of its time`, stackOf(error));
    });
    this.#running.add(run);
    return run;
  }

  async #run({ name, attempts }: JobHandler, job: Fetched): Promise<void> {
    const { id, data, retryCount } = job;
    const attempt = retryCount + 1;
    // From version 12 on, only if the job was not taken by somebody else meanwhile.
    const taken = this.#isTen ? id : { id, retryCount };
    const done = async (manager: EntityManager): Promise<boolean> =>
      (await this.boss.complete(name, taken, null, { db: dbOf(manager) })).affected === 1;
    try {
      await this.#host?.run({ id, name, attempt, data }, this.#running.signal, done);
    } catch (error) {
      if (error instanceof JobLostError) {
        this.#logger.warn(error.message);
        return;
      }
      await this.boss.fail(name, taken, error);
      const end = attempt < attempts ? 'is run again' : 'is given up';
      this.#logger.warn(`Job "${name}" (${id}), attempt ${attempt}, failed and ${end}: ${String(error)}`);
    }
  }
}

/** Lets pg-boss work in the manager's transaction. */
function dbOf(manager: EntityManager): Db {
  return { executeSql: async (text, values = []) => ({ rows: await sendSql(manager, text, values) }) };
}

function byName<Job extends { readonly name: string }>(jobs: readonly Job[]): Map<string, Job[]> {
  const grouped = new Map<string, Job[]>();
  for (const job of jobs) {
    const those = grouped.get(job.name);
    if (those) those.push(job);
    else grouped.set(job.name, [job]);
  }
  return grouped;
}

function queueOptions({ attempts, backoff, timeout }: JobHandler) {
  return {
    retryLimit: attempts - 1,
    retryDelay: Math.ceil(backoff / 1_000),
    retryBackoff: true,
    expireInSeconds: Math.min(Math.ceil(timeout / 1_000), LONGEST_RUN_SECONDS) + GRACE_SECONDS,
  };
}

function insertion({ id, name, key, data, dueAt, createdAt, handler }: NewJob): object {
  return {
    id,
    name,
    data,
    ...(handler && queueOptions(handler)),
    ...(dueAt > createdAt && { startAfter: dueAt.toISOString() }),
    ...(key !== null && { singletonKey: key, singletonSeconds: FOR_EVER }),
  };
}
