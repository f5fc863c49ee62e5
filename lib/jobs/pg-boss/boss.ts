import type { EntityManager } from 'typeorm';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import type { JobData } from '../job-engine.js';
import type { JobHandler } from '../job-handlers.js';

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

/** What pg-boss sends statements with. */
export interface Db {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A job that pg-boss has given to this process. */
export interface Fetched {
  readonly id: string;
  readonly data: JobData;
  readonly retryCount: number;
  readonly retryLimit: number;
}

/** What both versions have of it. */
export interface Boss extends Omit<
  PgBossInstance,
  'createQueue' | 'getQueue' | 'insert' | 'fetch' | 'complete' | 'fail' | 'getDb'
> {
  createQueue(name: string, options: object): Promise<unknown>;
  getQueue(name: string): Promise<QueueOptions | null>;
  getDb(): Db;
  insert(...args: unknown[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<Fetched[]>;
  complete(name: string, job: unknown, data: object | null, options: { db: Db }): Promise<{ affected: number }>;
  fail(name: string, job: unknown, data: unknown): Promise<unknown>;
}

/** Version 10 inserts jobs of several queues at once, and does not tell one run of a job from the next. */
export function isTen(boss: Boss): boolean {
  return 'archive' in boss;
}

/** Lets pg-boss work in the manager's transaction. */
export function dbOf(manager: EntityManager): Db {
  return { executeSql: async (text, values = []) => ({ rows: await sendSql(manager, text, values) }) };
}

/**
 * How many attempts pg-boss has beyond those of a handler. If the process dies in the last attempt, the job comes once
 * more, to be given up by the engine, which pg-boss would not tell of it; and again if that process dies, too.
 */
export const SPARE_ATTEMPTS = 2;

// From the end of a run to the moment at which pg-boss takes its process for dead.
const GRACE_SECONDS = 60;
const LONGEST_RUN_SECONDS = 86_400 - GRACE_SECONDS - 1;

/** What a queue of pg-boss says of jobs that do not say it themselves. */
export type QueueOptions = Partial<ReturnType<typeof queueOptions>>;

/** What pg-boss is told of the jobs of a handler. */
export function queueOptions({ attempts, backoff, timeout }: JobHandler) {
  return {
    retryLimit: attempts - 1 + SPARE_ATTEMPTS,
    retryDelay: Math.ceil(backoff / 1_000),
    retryBackoff: true,
    expireInSeconds: Math.min(Math.ceil(timeout / 1_000), LONGEST_RUN_SECONDS) + GRACE_SECONDS,
  };
}

/** The jobs of each name. */
export function byName<Job extends { readonly name: string }>(jobs: readonly Job[]): Map<string, Job[]> {
  const grouped = new Map<string, Job[]>();
  for (const job of jobs) {
    const those = grouped.get(job.name);
    if (those) those.push(job);
    else grouped.set(job.name, [job]);
  }
  return grouped;
}
