import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../lib/files.module.js';
import { outboxJobs } from '../../lib/jobs/outbox/outbox-engine.js';
import { compileModule } from './compiled-module.js';
import type { OpenDatabase, TestDatabase } from './databases.js';
import { newDirectory } from './files-directory.js';
import { jobsApp, JobNote } from './jobs-app.js';
import type { WorkerTask } from '../crash/job-worker.child.js';

function startScript(script: string, task: WorkerTask): ChildProcess {
  return spawn(process.execPath, [script, JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** What holds of jobs whose processes are killed, on one database; `everyPoint` takes half a minute. */
export function describeJobCrashes(
  kind: TestDatabase,
  { jobs, everyPoint }: { jobs: number; everyPoint: boolean },
): void {
  describe(`processes that die on ${kind.name}`, () => {
    let database: OpenDatabase;
    let script = '';

    beforeAll(async () => {
      const source = fileURLToPath(new URL('../crash/job-worker.child.ts', import.meta.url));
      script = await compileModule(source, newDirectory());
    });

    beforeEach(async () => {
      database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
    });

    afterEach(() => database.close());

    const start = (task: WorkerTask): ChildProcess => startScript(script, task);
    const connection = (): DataSourceOptions => {
      const { prepareDatabase: _, ...options } = database.dataSource.options as unknown as {
        prepareDatabase?: unknown;
      };
      return { ...options, synchronize: false, entities: [] } as never;
    };
    const notes = async (): Promise<string[]> => {
      const rows = await database.read('SELECT text FROM job_note');
      return rows.map(({ text }) => String(text));
    };
    const left = async (): Promise<number> => {
      const [row] = await database.read('SELECT COUNT(*) AS jobs FROM files_job');
      return Number(row?.['jobs']);
    };
    const settled = async (): Promise<void> => {
      await expect.poll(left, { timeout: 240_000 }).toBe(0);
    };

    const atEveryPoint = everyPoint ? it : undefined;
    atEveryPoint?.(
      'before any statement of a unit and of its job leave both done once, or neither',
      { timeout: 300_000 },
      async () => {
        const outcomes: string[][] = [];
        for (let dieAt = 1, hasDied = true; hasDied; dieAt++) {
          const child = start({ database: connection(), lease: 300, dieAt });
          const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
          hasDied = signal === 'SIGKILL';
          const app = await jobsApp({ database: connection(), jobs: { engine: outboxJobs({ poll: 20, lease: 300 }) } });
          await settled();
          await app.close();
          outcomes.push(await notes());
          await database.dataSource.query('DELETE FROM job_note');
        }
        const isCommitted = outcomes.map((outcome) => outcome.includes('record'));
        const committedFrom = isCommitted.indexOf(true);
        // The commit is one statement: before it nothing is there, and from it on all comes, in whichever process.
        expect(committedFrom).toBeGreaterThan(2);
        expect(outcomes.slice(0, committedFrom).flat()).toEqual([]);
        for (const outcome of outcomes.slice(committedFrom)) expect(outcome).toEqual(['record', 'job']);
        // Taking the job, running it and marking it done are several statements.
        expect(outcomes.length - committedFrom).toBeGreaterThan(4);
      },
    );

    it(
      'lose no job while two work off many, and run none of a unit that was rolled back',
      { timeout: 300_000 },
      async () => {
        const queueing = await jobsApp({ database: connection(), jobs: { work: false } });
        const wanted: string[] = [];
        for (let at = 0; at < jobs; at += 100) {
          const part = Array.from({ length: 100 }, (_, index) => `${at + index}`);
          const unit = queueing.queue.run(() => {
            for (const payload of part) queueing.queue.enqueue('note', payload);
            if (at % 500 === 0) throw new Error('rolled back');
          });
          if (at % 500 === 0) await expect(unit).rejects.toThrow('rolled back');
          else wanted.push(...part);
        }
        const task = { database: connection(), lease: 1_000 };
        const [first, second] = [start(task), start(task)];
        await Promise.all([first, second].map((child) => once(child, 'message')));
        await expect.poll(async () => (await notes()).length, { timeout: 50_000, interval: 10 }).toBeGreaterThan(100);
        const ended = once(first, 'exit');
        first.kill('SIGKILL');
        await ended;
        const third = start(task);
        await once(third, 'message');
        await settled();
        const over = [second, third].map((child) => once(child, 'exit'));
        for (const child of [second, third]) child.disconnect();
        await Promise.all(over);
        expect((await notes()).toSorted()).toEqual(wanted.toSorted());
        await queueing.close();
      },
    );
  });
}
