import PgBoss from 'pg-boss';
import { PgBoss as PgBossTwelve } from 'pg-boss-12';
import { FilesModule } from 'nestjs-files';
import { pgBossJobs } from 'nestjs-files/jobs/pg-boss';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';
import { loginOf } from '../../support/job-engines.js';
import { jobsApp, JobNote } from '../../support/jobs-app.js';
import type { JobsApp } from '../../support/jobs-app.js';

/** How pg-boss connects to the database of the test. */
const login = (database: OpenDatabase) => ({ ...loginOf(database), max: 4 });

interface Stoppable {
  stop(options: { graceful: boolean; wait: boolean; timeout: number }): Promise<void>;
}

async function stop(bosses: Stoppable[], { read }: OpenDatabase, isLast = true): Promise<void> {
  for (const boss of bosses) await boss.stop({ graceful: true, wait: true, timeout: 1_000 });
  // A pool has ended before its connections have.
  const mine = "datname = current_database() AND application_name LIKE 'pgboss%'";
  if (isLast) await expect.poll(() => read(`SELECT pid FROM pg_stat_activity WHERE ${mine}`)).toEqual([]);
}

const versions = [
  { version: 10, make: (database: OpenDatabase) => new PgBoss(login(database)) },
  { version: 12, make: (database: OpenDatabase) => new PgBossTwelve(login(database)) },
];

for (const kind of await reachableDatabases('postgres')) {
  for (const { version, make } of versions) {
    const started: Stoppable[] = [];
    describeJobs(`pgBossJobs with version ${version}`, kind, {
      make: async (database) => {
        const boss = make(database);
        started.push(boss);
        await boss.start();
        return pgBossJobs(boss, { poll: 20 });
      },
      dispose: async (database) => {
        await stop(started.splice(0), database);
      },
      dieInSecondAttempt: async (database) => {
        const begun = "state = 'active', retry_count = 1, started_on = now() - interval '1 day'";
        await database.dataSource.query(`UPDATE pgboss.job SET ${begun} WHERE name = 'doomed'`);
        const boss = make(database);
        started.push(boss);
        await boss.start();
        await ('maintain' in boss ? boss.maintain() : boss.supervise());
      },
      left: async ({ read }) => {
        const [row] = await read(
          "SELECT COUNT(*) AS jobs FROM pgboss.job WHERE state NOT IN ('completed', 'cancelled')",
        );
        return Number(row?.['jobs']);
      },
    });
  }
}

for (const kind of await reachableDatabases('postgres')) {
  describe(`pgBossJobs with version 10 on ${kind.name}`, () => {
    let database: OpenDatabase;
    let boss: PgBoss;
    let app: JobsApp;

    beforeEach(async () => {
      database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
      boss = new PgBoss({ ...login(database), supervise: false });
      await boss.start();
      const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
      app = await jobsApp({ database: connection, jobs: { engine: pgBossJobs(boss, { poll: 20 }) } });
    });

    afterEach(async () => {
      await app.close();
      await stop([boss], database);
      await database.close();
    });

    it.each([undefined, 'a'])(
      'refuses the commit where the queue is not there any more, with the key %s',
      async (key) => {
        await boss.deleteQueue('note');
        const queue = () =>
          app.queue.run(async () => {
            await app.write('record');
            app.queue.enqueue('note', 1);
            if (key) app.queue.enqueue('note', 1, { key });
          });
        const refused = { code: 'FILES_JOBS_REFUSED', message: expect.stringContaining('"note"') as string };
        await expect(queue()).rejects.toMatchObject(refused);
        await expect(queue()).rejects.toMatchObject(refused);
        expect(await database.read('SELECT id FROM job_note')).toEqual([]);
      },
    );

    it('runs a job again whose process died while it had it', async () => {
      // What a process leaves that was killed: a job that it had fetched, and whose time is over.
      const id = await boss.send('note', { payload: 'x' }, { startAfter: 3_600 });
      await boss.fetch('note', { ignoreStartAfter: true });
      await database.dataSource.query(
        "UPDATE pgboss.job SET started_on = now() - interval '1 day' WHERE name = 'note'",
      );
      await boss.maintain();
      await app.script.begun(1);
      expect(app.script.runs[0]).toMatchObject({ payload: 'x', context: { id, attempt: 2 } });
    });

    it('runs jobs with the engine of docs/jobs.md', async () => {
      const { user, host, port, database: name } = login(database);
      const databaseUrl = `postgres://${user}@${host}:${port}/${name}`;
      const storages = { default: memoryStorage() };

      const boss = new PgBoss(databaseUrl);
      await boss.start(); // and boss.stop() once the application is closed
      const module = FilesModule.forRoot({ storages, jobs: { engine: pgBossJobs(boss) } });

      const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
      const documented = await jobsApp({ database: connection, module });
      await documented.queue.run(() => documented.queue.enqueue('note', 'x'));
      await expect.poll(() => database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
      await documented.close();
      await stop([boss], database, false);
    });
  });
}

for (const kind of await reachableDatabases('postgres')) {
  describe.each(versions)(`pgBossJobs with version $version on ${kind.name}`, ({ make }) => {
    it.each([
      ['made by the library', undefined],
      ['of an earlier release', { retryLimit: 7, retryDelay: 60 }],
    ])('gives jobs the options of their handler on a queue %s', async (_, earlier) => {
      const database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
      const boss = make(database);
      await boss.start();
      if (earlier) await boss.createQueue('note', earlier as never);
      const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
      const app = await jobsApp({ database: connection, jobs: { engine: pgBossJobs(boss) } });
      await app.queue.run(() => app.queue.enqueue('note', 'x', { delay: 60_000 }));
      // Its three attempts, and two in which the engine gives it up if processes die.
      expect(
        await database.read("SELECT retry_limit, retry_delay, retry_backoff FROM pgboss.job WHERE name = 'note'"),
      ).toEqual([{ retry_limit: 4, retry_delay: 1, retry_backoff: true }]);
      await app.close();
      await stop([boss], database);
      await database.close();
    });
  });
}
