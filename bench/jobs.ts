// How long does it take to queue 200 jobs in a unit of work, against the bulk insert of the engine itself? And how soon
// does a job begin?

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Queue } from 'bullmq';
import { makeWorkerUtils } from 'graphile-worker';
import { Redis } from 'ioredis';
import PgBoss from 'pg-boss';
import { PgBoss as PgBossTwelve } from 'pg-boss-12';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { QueuedJob } from '../lib/entry/entities.js';
import { outboxJobs } from '../lib/entry/jobs.js';
import type { JobEngine } from '../lib/entry/jobs.js';
import { FileJob, FilesModule, TaskQueue } from '../lib/index.js';
import { bullmqJobs } from '../lib/jobs/engines/bullmq.jobs.js';
import { graphileWorkerJobs } from '../lib/jobs/engines/graphile-worker.jobs.js';
import { pgBossJobs } from '../lib/jobs/engines/pg-boss.jobs.js';
import type { PgBossInstance } from '../lib/jobs/engines/pg-boss.jobs.js';
import { memoryStorage } from '../lib/storage/adapters/memory.storage.js';
import { contest, median, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';

const JOBS = 200;
const UNITS = 10;
const PICK_UPS = 30;
const NAME = 'measured';
const CONNECTION = { host: '127.0.0.1', port: 6379 };

/** An engine and its own bulk insert of so many jobs. */
interface Measured {
  readonly name: string;
  make(): JobEngine;
  bulk(): Promise<unknown>;
  /** Resolves when so many jobs are with the engine, for one that gets them after the commit. */
  relayed?(jobs: number): Promise<void>;
  /** Removes what was queued. */
  empty(): Promise<unknown>;
  close(): Promise<unknown>;
}

const times = <T>(make: (at: number) => T): T[] => Array.from({ length: JOBS }, (_, at) => make(at));

type Make = (source: DataSource, address: string) => Promise<Measured>;

const outbox: Make = (source) =>
  Promise.resolve({
    name: 'outboxJobs',
    make: () => outboxJobs(),
    bulk: () => {
      const [createdAt, dueAt] = [new Date(), new Date()];
      const own = { name: NAME, key: null, state: 'open', attempts: 0, lastError: null, leaseOwner: null } as const;
      return source
        .getRepository(QueuedJob)
        .insert(times((at) => ({ ...own, id: randomUUID(), data: { payload: { at } }, createdAt, dueAt })) as never);
    },
    empty: () => source.query('TRUNCATE files_job'),
    close: () => Promise.resolve(),
  });

const graphile: Make = async (source, connectionString) => {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  return {
    name: 'graphileWorkerJobs',
    make: () => graphileWorkerJobs(),
    bulk: () => utils.addJobs(times((at) => ({ identifier: NAME, payload: { payload: { at } } }))),
    empty: () => source.query('TRUNCATE graphile_worker._private_jobs'),
    close: async () => utils.release(),
  };
};

const pgBossTen: Make = async (source, connectionString) => {
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false });
  await boss.start();
  return {
    name: 'pgBossJobs, version 10',
    make: () => pgBossJobs(boss),
    bulk: () => boss.insert(times((at) => ({ name: NAME, data: { payload: { at } } }))),
    empty: () => source.query('DELETE FROM pgboss.job'),
    close: () => boss.stop({ graceful: false }),
  };
};

const pgBossTwelve: Make = async (source, connectionString) => {
  const boss = new PgBossTwelve({ connectionString, schema: 'twelve', supervise: false, schedule: false });
  await boss.start();
  return {
    name: 'pgBossJobs, version 12',
    make: () => pgBossJobs(boss as unknown as PgBossInstance, { schema: 'twelve' }),
    bulk: () =>
      boss.insert(
        NAME,
        times((at) => ({ data: { payload: { at } } })),
      ),
    empty: () => source.query('DELETE FROM twelve.job'),
    close: () => boss.stop({ graceful: false }),
  };
};

const bullmq: Make = (source) => {
  const prefix = `bench-${randomUUID()}`;
  const queue = new Queue(NAME, { connection: CONNECTION, prefix });
  return Promise.resolve({
    name: 'bullmqJobs',
    make: () => bullmqJobs({ connection: CONNECTION, prefix }),
    bulk: () => queue.addBulk(times((at) => ({ name: NAME, data: { payload: { at } } }))),
    relayed: async (jobs) => {
      while ((await queue.getWaitingCount()) < jobs) await delay(1);
    },
    empty: async () => {
      await source.query('TRUNCATE files_job');
      await queue.obliterate({ force: true });
    },
    close: async () => {
      await queue.close();
      const redis = new Redis(CONNECTION);
      const keys = await redis.keys(`${prefix}:*`);
      if (keys.length > 0) await redis.del(keys);
      await redis.quit();
    },
  });
};

export async function jobs(): Promise<void> {
  for (const make of [outbox, graphile, pgBossTen, pgBossTwelve, bullmq]) {
    await withFilesDatabase('postgres', async (database, source) => {
      const measured = await make(source, `postgres://postgres@127.0.0.1:5432/${String(database.database)}`);
      await queueing(measured, database);
      await measured.empty();
      await pickUps(measured, database);
      await measured.close();
    });
  }
}

async function queueing(measured: Measured, database: DataSourceOptions): Promise<void> {
  const { name, make, bulk, relayed } = measured;
  const app = await open(database, make(), { work: false });
  const queue = app.get(TaskQueue);
  const inUnit = () =>
    queue.run(() => {
      for (let at = 0; at < JOBS; at++) queue.enqueue(NAME, { at });
    });
  const contestants = [
    { name: 'its own bulk insert', round: () => perSecond(measured, bulk) },
    { name: 'a unit of work', round: () => perSecond(measured, inUnit, relayed) },
    ...(relayed
      ? [{ name: 'a unit of work and its relay', round: () => perSecond(measured, inUnit, relayed, true) }]
      : []),
  ];
  for (const { round } of contestants) await round();
  printStandings(`${JOBS} jobs with ${name}`, `× ${JOBS} jobs/s`, await contest(contestants, 31));
  await app.close();
}

/** How often `work` was done in a second. What is relayed after it is waited for, and counted if `counts` says so. */
async function perSecond(
  { empty }: Measured,
  work: () => Promise<unknown>,
  relayed?: Measured['relayed'],
  counts = false,
): Promise<number> {
  await empty();
  let taken = 0;
  for (let at = 1; at <= UNITS; at++) {
    const begun = performance.now();
    await work();
    const committed = performance.now();
    await relayed?.(at * JOBS);
    taken += (counts ? performance.now() : committed) - begun;
  }
  return (UNITS * 1000) / taken;
}

async function pickUps({ name, make }: Measured, database: DataSourceOptions): Promise<void> {
  const working = await open(database, make());
  const other = await open(database, make(), { work: false });
  for (const [where, app] of Object.entries({ 'the same process': working, 'another process': other })) {
    const waits: number[] = [];
    for (let at = 0; at < PICK_UPS; at++) {
      const begun = new Promise<number>((resolve) => (Handler.begun = () => resolve(performance.now())));
      // So that nobody is at work on the last one any more.
      await delay(20 + Math.random() * 50);
      const queue = app.get(TaskQueue);
      await queue.run(() => queue.enqueue(NAME, { at }));
      const committed = performance.now();
      waits.push((await begun) - committed);
    }
    const [middle, most] = [median(waits), Math.max(...waits)].map((wait) => wait.toFixed(1));
    console.log(
      `${name}: a job of ${where} begins ${middle} ms after its commit (median of ${PICK_UPS}), at most ${most} ms`,
    );
  }
  await other.close();
  await working.close();
}

class Handler {
  static begun = (): void => undefined;

  @FileJob(NAME)
  run(): void {
    Handler.begun();
  }
}

function open(
  database: DataSourceOptions,
  engine: JobEngine,
  { work = true }: { work?: boolean } = {},
): Promise<INestApplicationContext> {
  const imports = [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false, jobs: { engine, work } }),
  ];
  class AppModule {}
  return NestFactory.createApplicationContext(
    { module: AppModule, imports, providers: [Handler] },
    { logger: ['error'] },
  );
}
