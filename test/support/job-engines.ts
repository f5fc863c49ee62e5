import { setTimeout as delay } from 'node:timers/promises';
import { run, runMigrations } from 'graphile-worker';
import { run as runEighteen, runMigrations as runMigrationsEighteen } from 'graphile-worker-18';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import PgBoss from 'pg-boss';
import { PgBoss as PgBossTwelve } from 'pg-boss-12';
import { bullmqJobs } from '../../lib/jobs/engines/bullmq.jobs.js';
import { graphileWorkerJobs } from '../../lib/jobs/engines/graphile-worker.jobs.js';
import { pgBossJobs } from '../../lib/jobs/engines/pg-boss.jobs.js';
import type { PgBossInstance } from '../../lib/jobs/pg-boss/boss.js';
import type { JobEngine } from '../../lib/jobs/job-engine.js';
import { outboxJobs } from '../../lib/jobs/outbox/outbox-engine.js';
import type { OpenDatabase } from './databases.js';

/** How a server is reached. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** How pg-boss and graphile-worker connect to the database of a test. */
export function loginOf({ dataSource }: Pick<OpenDatabase, 'dataSource'>): Login {
  const {
    username: user,
    host,
    port,
    password,
    database,
  } = dataSource.options as unknown as Omit<Login, 'user'> & {
    username: string;
  };
  return { user, host, port, password, database };
}

function addressOf({ user, password, host, port, database }: Login): string {
  return `postgres://${user}:${encodeURIComponent(password ?? '')}@${host}:${port}/${database}`;
}

/** Both versions of graphile-worker, by what their migrations are called. */
export const GRAPHILE = {
  '0.17': { run, migrate: (login: Login) => runMigrations({ connectionString: addressOf(login) }) },
  '0.18': {
    run: runEighteen,
    migrate: (login: Login) => runMigrationsEighteen({ connectionString: addressOf(login) }),
  },
} as const;

const url = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');

/** The Redis of the tests, which need not answer. */
export const REDIS = {
  url,
  connection: { host: url.hostname, port: Number(url.port || '6379'), password: url.password || undefined },
};

/** Removes what BullMQ has there. */
export async function emptyRedis(prefix: string): Promise<void> {
  const redis = new Redis(REDIS.connection);
  const keys = await redis.keys(`${prefix}:*`);
  if (keys.length > 0) await redis.del(keys);
  await redis.quit();
}

/** Both versions of pg-boss. */
export const PG_BOSS = {
  10: (login: Login) => new PgBoss({ ...login, max: 4, supervise: false, schedule: false }),
  // It looks for jobs of dead processes no more often than it is told here, also if it is asked to.
  12: (login: Login) =>
    new PgBossTwelve({ ...login, max: 4, supervise: false, schedule: false, monitorIntervalSeconds: 1 }),
} as const;

/**
 * An engine of a process, as JSON; `lease` is how many milliseconds a process that died keeps its jobs, where that can
 * be set.
 */
export type EngineTask = {
  readonly poll: number;
  readonly lease: number;
  /** After how many milliseconds a job that is not done is relayed again; without it, after those of the lease. */
  readonly relayAgain?: number;
} & (
  | { readonly engine: 'outboxJobs' | 'graphileWorkerJobs' }
  | { readonly engine: 'bullmqJobs'; readonly prefix: string }
  | { readonly engine: 'pgBossJobs'; readonly version: keyof typeof PG_BOSS; readonly login: Login }
);

/** An engine, and what it needs. */
export interface StartedEngine {
  readonly engine: JobEngine;
  /** Calls `step` before each statement or command of the engine that does not go through the data source. */
  onStep(step: () => void): void;
  /** Ends what the engine itself does not. */
  dispose(): Promise<void>;
}

const none = (): void => undefined;
const nothing = (): Promise<void> => Promise.resolve();

/** Starts the engine of a process. */
export async function startEngine(task: EngineTask): Promise<StartedEngine> {
  const { poll, lease, relayAgain = lease } = task;
  switch (task.engine) {
    case 'outboxJobs':
      return { engine: outboxJobs({ poll, lease }), onStep: none, dispose: nothing };
    case 'graphileWorkerJobs':
      return { engine: graphileWorkerJobs({ poll, lease }), onStep: none, dispose: nothing };
    case 'bullmqJobs': {
      const worker = { lockDuration: lease, stalledInterval: Math.ceil(lease / 2) };
      const { connection } = REDIS;
      const engine = bullmqJobs({ connection, prefix: task.prefix, poll, relayAgain, worker });
      return { engine, onStep: onRedisCommand, dispose: nothing };
    }
    case 'pgBossJobs': {
      const boss = PG_BOSS[task.version](task.login);
      await boss.start();
      return {
        engine: pgBossJobs(boss as unknown as PgBossInstance, { poll }),
        onStep: (step) => {
          const db = boss.getDb() as { executeSql(...args: unknown[]): Promise<unknown> };
          const send = db.executeSql.bind(db);
          db.executeSql = (...args) => {
            step();
            return send(...args);
          };
        },
        dispose: () => boss.stop({ graceful: true, timeout: 1_000 }),
      };
    }
  }
}

/**
 * Resolves when no pg-boss is connected to the database: its pool has ended before its connections have, which nobody
 * listens to then.
 */
export async function pgBossEnded({ database, ...server }: Login): Promise<void> {
  const client = new Client({ ...server, database: 'postgres' });
  await client.connect();
  const open = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'pgboss%'";
  while ((await client.query(open, [database])).rows.length > 0) await delay(5);
  await client.end();
}

function onRedisCommand(step: () => void): void {
  const send = Redis.prototype.sendCommand;
  Redis.prototype.sendCommand = function (...args) {
    step();
    return send.apply(this, args);
  };
}

/** What the tables of an engine say. */
export interface EngineTables {
  /** Makes them, where the engine itself does not. */
  prepare(database: Pick<OpenDatabase, 'dataSource'>): Promise<unknown>;
  /** How many jobs there are, whatever has become of them; those that are done are none. */
  left(database: Pick<OpenDatabase, 'read'>): Promise<number>;
  /** How many jobs wait or run. */
  open(database: Pick<OpenDatabase, 'read'>): Promise<number>;
  /** Lets jobs be taken again that were begun more than so many milliseconds ago by processes that have died. */
  recover(database: OpenDatabase, milliseconds: number): Promise<void>;
}

const counted =
  (table: string) =>
  async (database: Pick<OpenDatabase, 'read'>): Promise<number> => {
    const [row] = await database.read(`SELECT COUNT(*) AS jobs FROM ${table}`);
    return Number(row?.['jobs']);
  };

const OUTBOX: EngineTables = {
  prepare: nothing,
  left: counted("files_job WHERE state <> 'done'"),
  open: counted("files_job WHERE state = 'open'"),
  recover: nothing,
};

/** The tables of this engine. */
export function tablesOf(task: EngineTask): EngineTables {
  switch (task.engine) {
    case 'outboxJobs':
    case 'bullmqJobs':
      return OUTBOX;
    case 'graphileWorkerJobs':
      return {
        prepare: (database) => GRAPHILE['0.18'].migrate(loginOf(database)),
        left: counted('graphile_worker._private_jobs'),
        open: counted('graphile_worker._private_jobs WHERE attempts < max_attempts'),
        recover: nothing,
      };
    case 'pgBossJobs':
      return {
        prepare: nothing,
        left: counted("pgboss.job WHERE state NOT IN ('completed', 'cancelled')"),
        open: counted("pgboss.job WHERE state IN ('created', 'retry', 'active')"),
        recover: (database, milliseconds) => expire(database, task, milliseconds),
      };
  }
}

/** As if the time of those jobs were over, and pg-boss had looked. */
async function expire(
  { dataSource }: OpenDatabase,
  { version, login }: Extract<EngineTask, { engine: 'pgBossJobs' }>,
  milliseconds: number,
): Promise<void> {
  const begun = `state = 'active' AND started_on < now() - ${milliseconds} * interval '1 millisecond'`;
  const rows = await dataSource.query<unknown[][]>(
    `UPDATE pgboss.job SET started_on = now() - interval '1 day' WHERE ${begun} RETURNING id`,
  );
  if (rows[0]?.length === 0) return;
  const boss = PG_BOSS[version](login);
  await boss.start();
  await ('maintain' in boss ? boss.maintain() : boss.supervise());
  await boss.stop({ graceful: true, timeout: 1_000 });
}
