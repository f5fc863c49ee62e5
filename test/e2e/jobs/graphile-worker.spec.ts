import { runMigrations } from 'graphile-worker';
import { FilesModule } from 'nestjs-files';
import { graphileWorkerJobs } from 'nestjs-files/jobs/graphile-worker';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';
import { GRAPHILE, loginOf } from '../../support/job-engines.js';
import { jobsApp, JobNote, JobScript } from '../../support/jobs-app.js';
import type { JobsApp, JobsAppOptions } from '../../support/jobs-app.js';

const kinds = await reachableDatabases('postgres');
const NEVER = 2 ** 31 - 1;

for (const kind of kinds) {
  for (const [version, { migrate }] of Object.entries(GRAPHILE)) {
    describeJobs(`graphileWorkerJobs with version ${version}`, kind, {
      prepare: (database) => migrate(loginOf(database)),
      make: () => graphileWorkerJobs({ poll: 20 }),
      left: async ({ read }) => {
        const [row] = await read('SELECT COUNT(*) AS jobs FROM graphile_worker._private_jobs');
        return Number(row?.['jobs']);
      },
      dieInSecondAttempt: ({ dataSource }) =>
        dataSource.query(
          "UPDATE graphile_worker._private_jobs SET attempts = 2, locked_by = 'nestjs-files-x', locked_at = now() - interval '1 day'",
        ),
    });
  }
}

describe.each(kinds)('graphileWorkerJobs on $name', (kind) => {
  const closing: (() => Promise<unknown>)[] = [];
  let database: OpenDatabase;

  beforeEach(async () => {
    database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
    await GRAPHILE['0.18'].migrate(loginOf(database));
  });

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await database.close();
  });

  async function open(options: Partial<JobsAppOptions> = {}): Promise<JobsApp> {
    const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
    const app = await jobsApp({ database: connection, jobs: { engine: graphileWorkerJobs() }, ...options });
    closing.push(() => app.close());
    return app;
  }

  function pool(): Pool {
    const made = new Pool(loginOf(database)).on('error', () => undefined);
    closing.push(() => made.end());
    return made;
  }

  const listeners = () =>
    database.read(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN "jobs:insert"'`,
    );
  const isListening = async (): Promise<void> => {
    await expect.poll(listeners, { timeout: 10_000 }).toHaveLength(1);
  };
  const rows = () => database.read('SELECT attempts, locked_by FROM graphile_worker._private_jobs');

  it.each(['beside the pool', 'of a pool of the application'])(
    'hears on a connection %s of jobs that others queue, also after it was cut off',
    async (which) => {
      const options = { poll: NEVER, ...(which.startsWith('of') && { pgPool: pool() }) };
      const working = await open({ jobs: { engine: graphileWorkerJobs(options) } });
      const queueing = await open({ jobs: { engine: graphileWorkerJobs(), work: false } });
      await isListening();
      await queueing.queue.run(() => queueing.queue.enqueue('note', '1'));
      await working.script.begun(1);

      const [before] = await listeners();
      await database.read(`SELECT pg_terminate_backend(${String(before?.['pid'])})`);
      const now = async () => (await listeners())[0]?.['pid'] ?? before?.['pid'];
      await expect.poll(now, { timeout: 10_000 }).not.toBe(before?.['pid']);
      await queueing.queue.run(() => queueing.queue.enqueue('note', '2'));
      await working.script.begun(2);
      expect(working.script.payloads).toEqual(['1', '2']);
    },
  );

  it('answers a ping while its tables can be read', async () => {
    const { jobs } = await open({ jobs: { engine: graphileWorkerJobs({ poll: NEVER }) } });
    expect(await jobs.ping()).toBe(true);
    await database.dataSource.query('DROP SCHEMA graphile_worker CASCADE');
    await expect(jobs.ping()).rejects.toThrow('graphile_worker');
  });

  it('leaves tasks of the application to its runner, which leaves jobs to the library', async () => {
    const done: unknown[] = [];
    const runner = await GRAPHILE['0.18'].run({
      pgPool: pool(),
      noHandleSignals: true,
      taskList: { own: (payload) => void done.push(payload) },
    });
    closing.push(() => runner.stop());
    const app = await open();
    await app.queue.run(() => app.queue.enqueue('note', 'x'));
    await runner.addJob('own', { its: 1 });
    await expect.poll(rows, { timeout: 10_000 }).toEqual([]);
    expect(done).toEqual([{ its: 1 }]);
    expect(app.script.payloads).toEqual(['x']);
    expect(await app.jobs.failed()).toEqual([]);
  });

  it('runs a job again whose process died while it had it, and not while the process lives', async () => {
    const queueing = await open({ jobs: { engine: graphileWorkerJobs(), work: false } });
    await queueing.queue.run(() => ['dead', 'alive'].forEach((one) => queueing.queue.enqueue('note', one)));
    const lock = (age: string, payload: string) =>
      database.dataSource.query(
        `UPDATE graphile_worker._private_jobs SET attempts = 1, locked_by = 'nestjs-files-' || $1, locked_at = now() - interval '${age}' WHERE payload->>'payload' = $1`,
        [payload],
      );
    await lock('1 day', 'dead');
    await lock('1 second', 'alive');
    const app = await open({ jobs: { engine: graphileWorkerJobs({ poll: 20, lease: 20_000 }) } });
    await app.script.begun(1);
    expect(app.script.runs).toMatchObject([{ payload: 'dead', context: { attempt: 2 } }]);
    await expect.poll(rows).toEqual([{ attempts: 1, locked_by: 'nestjs-files-alive' }]);
  });

  it('keeps a job that takes longer than its lease, and rolls a run back whose lock was lost', async () => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const script = new JobScript(async () => {
      await app.write('too late');
      await ended;
    });
    const lease = 1_000;
    const app = await open({ script, jobs: { engine: graphileWorkerJobs({ poll: 20, lease }) } });
    await app.queue.run(() => app.queue.enqueue('note', 1));
    await script.begun(1);
    const lockedAt = async () =>
      Number((await database.read('SELECT locked_at FROM graphile_worker._private_jobs'))[0]?.['locked_at']);
    const first = await lockedAt();
    await expect.poll(lockedAt).toBeGreaterThan(first + lease);
    expect(script.runs).toHaveLength(1);
    await database.dataSource.query("UPDATE graphile_worker._private_jobs SET locked_by = 'somebody else'");
    end();
    await closing.pop()?.();
    expect(await rows()).toEqual([{ attempts: 1, locked_by: 'somebody else' }]);
    expect(await database.read('SELECT text FROM job_note')).toEqual([]);
  });

  it('does not count a run that a shutdown aborted', async () => {
    const script = new JobScript(() => new Promise(() => undefined));
    const app = await open({ script, shutdownTimeout: 20 });
    await app.queue.run(() => app.queue.enqueue('note', 1));
    await script.begun(1);
    await closing.pop()?.();
    expect(await rows()).toEqual([{ attempts: 0, locked_by: null }]);
  });

  it('frees the key of a job with its end, and leaves a job with the key as it is until then', async () => {
    const app = await open({ jobs: { engine: graphileWorkerJobs(), work: false } });
    const queue = (payload: string) => app.queue.run(() => app.queue.enqueue('note', payload, { key: 'a' }));
    await queue('first');
    const before = await database.read('SELECT * FROM graphile_worker._private_jobs');
    await queue('second');
    expect(await database.read('SELECT * FROM graphile_worker._private_jobs')).toEqual(before);
    const working = await open();
    await working.script.begun(1);
    await expect.poll(rows).toEqual([]);
    await queue('third');
    await working.script.begun(2);
    expect(working.script.payloads).toEqual(['first', 'third']);
  });

  it('runs a job at once whose process has a clock that is ahead', async () => {
    const app = await open({ jobs: { engine: graphileWorkerJobs({ poll: NEVER }) } });
    await isListening();
    await app.dataSource.transaction(async (manager) => {
      await manager.query(
        'CREATE FUNCTION graphile_worker.ahead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT NEW.run_at <= clock_timestamp(); RETURN NEW; END $$',
      );
      await manager.query(
        'CREATE TRIGGER ahead BEFORE INSERT ON graphile_worker._private_jobs FOR EACH ROW EXECUTE FUNCTION graphile_worker.ahead()',
      );
    });
    const now = Date.now;
    Date.now = () => now() + 60_000;
    try {
      await app.queue.run(() =>
        ['x', 'y'].forEach((one) => app.queue.enqueue('note', one, one === 'y' ? { key: 'y' } : {})),
      );
    } finally {
      Date.now = now;
    }
    await app.script.begun(2);
  });

  it('refuses the commit where graphile-worker does not add a job', async () => {
    const app = await open({ jobs: { engine: graphileWorkerJobs(), work: false } });
    await database.dataSource.query(
      "CREATE FUNCTION graphile_worker.none() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    await database.dataSource.query(
      'CREATE TRIGGER none BEFORE INSERT ON graphile_worker._private_jobs FOR EACH ROW EXECUTE FUNCTION graphile_worker.none()',
    );
    const queue = (key?: string) =>
      app.queue.run(async () => {
        await app.write('record');
        app.queue.enqueue('note', 1, key === undefined ? {} : { key });
      });
    const refused = { code: 'FILES_JOBS_REFUSED', message: expect.stringContaining('did not add 1 of 1') as string };
    await expect(queue()).rejects.toMatchObject(refused);
    await expect(queue('a')).rejects.toMatchObject(refused);
    expect(await database.read('SELECT id FROM job_note')).toEqual([]);
  });

  it.each([
    ['tables that are not there', 'DROP SCHEMA graphile_worker CASCADE', /no tables of graphile-worker.*runMigrations/],
    ['tables of an older version', 'DELETE FROM graphile_worker.migrations WHERE id > 18', /older.*runMigrations/],
    [
      'tables of a version that it does not know',
      'INSERT INTO graphile_worker.migrations (id, breaking) VALUES (99, true)',
      /breaking migration 99/,
    ],
  ])('refuses to boot with %s', async (_what, sql, message) => {
    await database.dataSource.query(sql);
    await expect(open()).rejects.toMatchObject({
      code: 'FILES_OPTION_INVALID',
      message: expect.stringMatching(message) as string,
    });
  });

  it('runs jobs with the engine of docs/jobs.md', async () => {
    const { user, host, port, database: name } = loginOf(database);
    const databaseUrl = `postgres://${user}@${host}:${port}/${name}`;
    const storages = { default: memoryStorage() };

    await runMigrations({ connectionString: databaseUrl });
    const module = FilesModule.forRoot({ storages, jobs: { engine: graphileWorkerJobs() } });

    const app = await open({ module });
    await app.queue.run(() => app.queue.enqueue('note', 'x'));
    await expect.poll(() => database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
  });
});

it('refuses to boot without PostgreSQL', async () => {
  const [file] = await reachableDatabases('file');
  const database = await file!.open({ entities: [...FILES_ENTITIES, JobNote] });
  const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
  await expect(jobsApp({ database: connection, jobs: { engine: graphileWorkerJobs() } })).rejects.toMatchObject({
    code: 'FILES_OPTION_INVALID',
    message: expect.stringMatching(
      /needs PostgreSQL, but the data source is "better-sqlite3". Use outboxJobs\(\)/,
    ) as string,
  });
  await database.close();
});
