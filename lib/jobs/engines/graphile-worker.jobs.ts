/**
 * Jobs in the tables of graphile-worker, written in the transaction of the unit of work.
 * @module nestjs-files/jobs/graphile-worker
 */
import type { DataSource } from 'typeorm';
import { OptionInvalidError } from '../../errors/setup.errors.js';
import { isOnPglite } from '../../unit-of-work/one-connection/pglite-lease.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { GraphileJobs } from '../graphile-worker/graphile-jobs.js';
import type { LockedJob } from '../graphile-worker/graphile-jobs.js';
import { GraphileNotices } from '../graphile-worker/graphile-notices.js';
import type { ListeningPool } from '../graphile-worker/graphile-notices.js';
import { writeToGraphile } from '../graphile-worker/write-to-graphile.js';
import type { JobEngine, JobHost } from '../job-engine.js';
import { LeaseEngine } from '../leases/lease-engine.js';
import { wholeNumber } from '../whole-number.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

export type { ListeningClient, ListeningPool, PooledClient } from '../graphile-worker/graphile-notices.js';

/** Options of `graphileWorkerJobs()`. Times are in milliseconds. */
export interface GraphileWorkerJobsOptions {
  /** The schema of graphile-worker's tables. @default 'graphile_worker' */
  schema?: string;
  /**
   * A pool of `pg`, such as that of the application's graphile-worker runner: one of its connections listens for new
   * jobs. @default a connection outside the data source's pool
   */
  pgPool?: ListeningPool;
  /** The time between two searches for due jobs. A notification of a new job starts a search earlier. @default 1000 */
  poll?: number;
  /**
   * How long a job stays locked after its process has died. All processes need the same value.
   * @default 60_000
   */
  lease?: number;
}

// The numbers of migrations: the last one of 0.17, and the last breaking one that the library supports.
const OLDEST = 19;
const NEWEST_BREAKING = 20;
// The column of attempts is a smallint. Its count goes beyond this number if processes die.
const MOST_ATTEMPTS = 30_000;
const NOT_THERE = ['3F000', '42P01', '42703'];

/**
 * Stores jobs in the PostgreSQL of the data source, in the tables that the migrations of graphile-worker create. The
 * application's own runners on these tables run only their own tasks.
 * @example FilesModule.forRoot({ storages, jobs: { engine: graphileWorkerJobs() } })
 */
export function graphileWorkerJobs(options: GraphileWorkerJobsOptions = {}): JobEngine {
  const { schema = 'graphile_worker', pgPool, poll = 1_000, lease = 60_000 } = options;
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  return new LeaseEngine<LockedJob>({
    poll: wholeNumber('poll', poll, LONGEST_TIMER),
    lease: wholeNumber('lease', lease, LONGEST_TIMER),
    write: (manager, jobs) => writeToGraphile(manager, quoted, jobs),
    open: async ({ transactor, known }: JobHost) => {
      const { dataSource } = transactor;
      await assertTables(dataSource, quoted);
      for (const { attempts } of known.values()) wholeNumber('attempts', attempts, MOST_ATTEMPTS);
      const listen = (heard: () => void): (() => Promise<void>) => {
        // PGlite has only one session, so no other one can listen.
        if (!pgPool && isOnPglite(dataSource)) return () => Promise.resolve();
        const notices = new GraphileNotices(dataSource, pgPool, heard);
        return () => notices.close();
      };
      return new GraphileJobs(transactor, quoted, [...known.keys()], listen);
    },
  });
}

async function assertTables(dataSource: DataSource, schema: string): Promise<void> {
  if (dialectOf(dataSource).family !== 'postgres')
    refuse(
      `graphileWorkerJobs() needs PostgreSQL, but the data source is "${dataSource.options.type}"`,
      'Use outboxJobs() or bullmqJobs()',
    );
  const how = 'Call runMigrations() of graphile-worker first';
  const [row] = await sendSql(
    dataSource.manager,
    `SELECT MAX(id) AS latest, MAX(id) FILTER (WHERE breaking) AS breaking FROM ${schema}.migrations`,
    [],
  ).catch((error: unknown) => {
    if (!NOT_THERE.includes(String((error as { code?: unknown }).code))) throw error;
    return refuse(`the schema ${schema} has no tables of graphile-worker`, how);
  });
  const [latest, breaking] = [Number(row?.['latest']), Number(row?.['breaking'])];
  if (latest < OLDEST) refuse(`the tables of graphile-worker in ${schema} are older than those of 0.17`, how);
  if (breaking > NEWEST_BREAKING)
    refuse(
      `the library does not support the tables of graphile-worker in ${schema} after its breaking migration ${breaking}`,
      'Use a version of graphile-worker that the library supports',
    );
}

function refuse(why: string, remedy: string): never {
  throw new OptionInvalidError('jobs.engine', `${why}. ${remedy}`);
}
