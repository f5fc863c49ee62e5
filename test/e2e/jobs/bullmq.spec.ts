import { randomUUID } from 'node:crypto';
import { BullModule, getSharedConfigToken, InjectQueue } from '@nestjs/bullmq';
import type { BullRootModuleOptions } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { Queue, Worker } from 'bullmq';
import { FileJob, FilesModule } from 'nestjs-files';
import { bullmqJobs } from 'nestjs-files/jobs/bullmq';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { listens, reachableDatabases } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';
import { emptyRedis, REDIS } from '../../support/job-engines.js';
import { freePort } from '../../../scripts/free-ports.mjs';
import { jobsApp, JobNote, JobScript } from '../../support/jobs-app.js';
import type { JobsApp, JobsAppOptions } from '../../support/jobs-app.js';

const { url, connection } = REDIS;
const isThere = await listens(url);

// The tests below are skipped with it.
it.runIf(isThere)(`finds Redis on ${url.host}`, () => expect(isThere).toBe(true));

const kinds = isThere ? await reachableDatabases('file', 'postgres', 'mariadb') : [];

for (const kind of kinds) {
  let prefix = `files-test-${randomUUID()}`;
  describeJobs('bullmqJobs', kind, {
    make: () => bullmqJobs({ connection, prefix, poll: 20 }),
    left: async ({ read }) => {
      const [row] = await read("SELECT COUNT(*) AS jobs FROM files_job WHERE state <> 'done'");
      return Number(row?.['jobs']);
    },
    dispose: async () => {
      await emptyRedis(prefix);
      prefix = `files-test-${randomUUID()}`;
    },
  });
}

for (const kind of kinds.slice(0, 1)) {
  describe(`bullmqJobs on ${kind.name}`, () => {
    const prefix = `files-test-${randomUUID()}`;
    const apps: JobsApp[] = [];
    let database: OpenDatabase;

    beforeEach(async () => {
      database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
    });

    afterEach(async () => {
      for (const app of apps.splice(0)) await app.close();
      await emptyRedis(prefix);
      await database.close();
    });

    async function open(options: Partial<JobsAppOptions> = {}): Promise<JobsApp> {
      const connected = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
      const engine = bullmqJobs({ connection, prefix, poll: 20, worker: { stalledInterval: 100 } });
      const app = await jobsApp({ database: connected, ...options, jobs: { engine, ...options.jobs } });
      apps.push(app);
      return app;
    }

    const waiting = async (): Promise<number> => {
      const queue = new Queue('note', { connection, prefix });
      const count = await queue.getWaitingCount();
      await queue.close();
      return count;
    };

    /** A job that waits in Redis, as no process runs jobs. */
    async function relayed(): Promise<void> {
      const app = await open({ jobs: { work: false } });
      await app.queue.run(() => app.queue.enqueue('note', 'x'));
      await expect.poll(waiting).toBe(1);
    }

    const dueAgain = () => database.dataSource.query('UPDATE files_job SET due_at = 0');
    const lease = async () => (await database.read('SELECT lease_owner FROM files_job'))[0]?.['lease_owner'];

    it('relays a job again whose relay was not known to have succeeded, and runs it once', async () => {
      await relayed();
      const first = await lease();
      await dueAgain();
      await expect.poll(lease).not.toBe(first);
      expect(await waiting()).toBe(1);
      const app = await open();
      await expect.poll(() => database.read('SELECT id FROM files_job')).toEqual([]);
      expect(app.script.payloads).toEqual(['x']);
      expect(await database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
    });

    it('relays a job again that Redis has lost', async () => {
      await relayed();
      await emptyRedis(prefix);
      await dueAgain();
      await expect.poll(waiting).toBe(1);
      await open();
      await expect.poll(() => database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
    });

    it('runs a job again whose process died while it had it', async () => {
      await relayed();
      const dead = new Worker('note', null, { connection, prefix, lockDuration: 200 });
      expect(await dead.getNextJob('token')).toBeDefined();
      await dead.close(true);
      const app = await open();
      await app.script.begun(1);
      expect(app.script.runs[0]).toMatchObject({ payload: 'x', context: { attempt: 2 } });
      await expect.poll(() => database.read('SELECT id FROM files_job')).toEqual([]);
    });

    it('keeps nothing in Redis of jobs that are over', async () => {
      const script = new JobScript(({ payload }) => {
        if (payload === 'fails') throw new Error('no');
      });
      const app = await open({ script });
      await app.queue.run(() => ['works', 'fails'].forEach((one) => app.queue.enqueue('note', one)));
      await expect.poll(() => app.jobs.failed(), { timeout: 10_000 }).toHaveLength(1);
      const queue = new Queue('note', { connection, prefix });
      await expect.poll(() => queue.getJobs()).toEqual([]);
      await queue.close();
    });

    it('commits units of work and ends while Redis does not answer, and leaves their jobs to the next process', async () => {
      const nobody = { host: '127.0.0.1', port: await freePort() };
      const away = await open({ jobs: { engine: bullmqJobs({ connection: nobody, prefix, poll: 20 }) } });
      await away.queue.run(() => away.queue.enqueue('note', 'x'));
      await expect.poll(lease).not.toBeNull();
      apps.pop();
      await away.close();
      await dueAgain();
      await open();
      await expect.poll(() => database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
    });

    it('runs jobs with the engine of docs/jobs.md', async () => {
      const storages = { default: memoryStorage() };
      const redis = { ...connection };

      const module = FilesModule.forRoot({ storages, jobs: { engine: bullmqJobs({ connection: redis, prefix }) } });

      const app = await open({ module });
      await app.queue.run(() => app.queue.enqueue('note', 'x'));
      await expect.poll(() => database.read('SELECT text FROM job_note')).toEqual([{ text: 'x' }]);
    });

    it('uses the connection and the prefix of the BullModule that is handed in, whose queue sees the jobs', async () => {
      const storages = { default: memoryStorage() };
      const seen: unknown[] = [];

      const shared = FilesModule.forRootAsync({
        inject: [getSharedConfigToken()],
        useFactory: ({ connection, prefix }: BullRootModuleOptions) => ({
          storages,
          jobs: { engine: bullmqJobs({ connection, prefix }) },
        }),
      });

      @Injectable()
      class Watching {
        constructor(@InjectQueue('note') readonly queue: Queue) {}
        @FileJob('note')
        async note(payload: unknown): Promise<void> {
          seen.push({ payload, active: (await this.queue.getActive()).map(({ name, data }) => ({ name, ...data })) });
        }
      }
      const bull = [BullModule.forRoot({ connection, prefix }), BullModule.registerQueue({ name: 'note' })];
      const app = await open({ module: shared, imports: bull, providers: [Watching] });
      await app.queue.run(() => app.queue.enqueue('note', 'x'));
      await expect
        .poll(() => seen)
        .toEqual([{ payload: 'x', active: [expect.objectContaining({ name: 'note', payload: 'x' })] }]);
    });
  });
}
