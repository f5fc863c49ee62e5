import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../lib/files.module.js';
import { compileModule } from './compiled-module.js';
import type { OpenDatabase, TestDatabase } from './databases.js';
import { newDirectory } from './files-directory.js';
import { startEngine, tablesOf } from './job-engines.js';
import type { EngineTask } from './job-engines.js';
import { jobsApp, JobNote } from './jobs-app.js';
import type { JobsApp } from './jobs-app.js';
import type { WorkerTask } from '../crash/job-worker.child.js';

type Death = WorkerTask['death'];

/** What is run: with `jobs`, two processes run so many, and die before any statement of one job; a sample without. */
export interface JobCrashes {
  readonly jobs?: number;
  /** The engine of each process, on this database. */
  task(database: OpenDatabase): EngineTask;
  /** Removes what is not in the database. */
  clean?(): Promise<void>;
}

// Nobody looks for jobs meanwhile: all steps of a process that dies are those of its own job.
const NEVER = 2 ** 31 - 1;
const LONG = { timeout: 600_000 };

/** What holds of jobs whose processes are killed, on one engine and database. */
export function describeJobCrashes(name: string, kind: TestDatabase, { jobs, task, clean }: JobCrashes): void {
  describe(`processes that die with ${name} on ${kind.name}`, () => {
    let database: OpenDatabase;
    let script = '';

    beforeAll(async () => {
      const source = fileURLToPath(new URL('../crash/job-worker.child.ts', import.meta.url));
      script = await compileModule(source, newDirectory());
    });

    beforeEach(async () => {
      database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
      await tablesOf(task(database)).prepare(database);
    });

    afterEach(async () => {
      await clean?.();
      await database.close();
    });

    const connection = (): DataSourceOptions => {
      const { prepareDatabase: _, ...options } = database.dataSource.options as unknown as {
        prepareDatabase?: unknown;
      };
      return { ...options, synchronize: false, entities: [] } as never;
    };
    /** Many jobs wait for longer than a lease, and are not to be relayed meanwhile. */
    const patient = (): EngineTask => ({ ...task(database), relayAgain: 20_000 });
    const start = (death?: Death, own = task(database)): ChildProcess => {
      const engine = { ...own, ...(typeof death === 'number' && { poll: NEVER }) };
      const worker: WorkerTask = { database: connection(), engine, ...(death !== undefined && { death }) };
      return spawn(process.execPath, [script, JSON.stringify(worker)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
    };
    /** Whether the process has died of the signal; it ends in any case. */
    const hasDied = async (child: ChildProcess): Promise<boolean> => {
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      return signal === 'SIGKILL';
    };
    const notes = async (): Promise<string[]> => {
      const rows = await database.read('SELECT text FROM job_note ORDER BY id');
      return rows.map(({ text }) => String(text));
    };
    const settled = async (olderThan: number): Promise<void> => {
      const { left, recover } = tablesOf(task(database));
      const look = async (): Promise<number> => {
        await recover(database, olderThan);
        return left(database);
      };
      await expect.poll(look, { timeout: 300_000 }).toBe(0);
    };
    /** Another process takes over; it runs in this one. */
    async function takeOver<T>(work: (app: JobsApp) => Promise<T>): Promise<T> {
      const { recover } = tablesOf(task(database));
      await recover(database, 0);
      const { engine, dispose } = await startEngine(task(database));
      const app = await jobsApp({ database: connection(), jobs: { engine } });
      const result = await work(app);
      await app.close();
      await dispose();
      return result;
    }

    it('in the handler of a job leave it to another process, which does all of it once', async () => {
      expect(await hasDied(start('in handler'))).toBe(true);
      await takeOver(() => settled(60_000));
      expect(await notes()).toEqual(['record', 'job']);
    });

    if (jobs === undefined) return;

    it('before any statement of a unit and of its job leave both done once, or neither', LONG, async () => {
      const outcomes: string[] = [];
      for (let death = 1, isDead = true; isDead; death++) {
        isDead = await hasDied(start(death));
        await takeOver(() => settled(60_000));
        outcomes.push((await notes()).join());
        await database.dataSource.query('DELETE FROM job_note');
      }
      const before = outcomes.filter((outcome) => outcome === '');
      console.log(`${name} on ${kind.name}: ${outcomes.length - 1} deaths, ${before.length} of them before the COMMIT`);
      // The commit is one statement: before it nothing is there, and from it on all comes, in whichever process.
      expect(new Set(outcomes)).toEqual(new Set(['', 'record,job']));
      expect(before.length).toBeGreaterThan(2);
      // Taking the job, running it and marking it done are several statements.
      expect(outcomes.length - before.length).toBeGreaterThan(4);
    });

    it('in every attempt of a job have it given up, and its handler told', LONG, async () => {
      const queueing = await startEngine(task(database));
      const app = await jobsApp({ database: connection(), jobs: { work: false, engine: queueing.engine } });
      await app.queue.run(() => app.queue.enqueue('doomed', 'x'));
      await app.close();
      await queueing.dispose();
      for (let attempt = 1; attempt <= 2; attempt++) {
        const child = start('in any handler');
        expect(await hasDied(child)).toBe(true);
        await tablesOf(task(database)).recover(database, 0);
      }
      const failed = await takeOver(async ({ jobs: all, script }) => {
        await expect.poll(() => all.failed(), { timeout: 20_000 }).toHaveLength(1);
        expect(script.givenUp).toEqual([['x', 'Its process died during the last attempt.']]);
        return all.failed();
      });
      expect(failed).toMatchObject([{ name: 'doomed', attempts: 2, error: expect.stringContaining('process died') }]);
      expect(await notes()).toEqual([]);
    });

    it('lose no job while two processes run many, and run none of a unit that was rolled back', LONG, async () => {
      const { engine, dispose } = await startEngine(patient());
      const queueing = await jobsApp({ database: connection(), jobs: { work: false, engine } });
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
      const from = performance.now();
      const [first, second] = [start(undefined, patient()), start(undefined, patient())];
      await Promise.all([first, second].map((child) => once(child, 'message')));
      await expect.poll(async () => (await notes()).length, { timeout: 50_000, interval: 10 }).toBeGreaterThan(100);
      const ended = once(first, 'exit');
      first.kill('SIGKILL');
      await ended;
      const third = start(undefined, patient());
      await once(third, 'message');
      // No run of a process that lives takes as long.
      await settled(5_000);
      const seconds = (performance.now() - from) / 1_000;
      console.log(
        `${name} on ${kind.name}: ${wanted.length} jobs in ${seconds.toFixed(1)} s by two processes, one killed`,
      );
      const over = [second, third].map((child) => once(child, 'exit'));
      for (const child of [second, third]) child.disconnect();
      await Promise.all(over);
      expect((await notes()).toSorted()).toEqual(wanted.toSorted());
      await queueing.close();
      await dispose();
    });
  });
}
