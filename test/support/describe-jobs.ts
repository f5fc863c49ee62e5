import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { actAs } from '../../lib/actor/actor.js';
import { FILES_CHANNELS } from '../../lib/diagnostics/traces.js';
import type { EnqueueTrace, JobTrace } from '../../lib/diagnostics/traces.js';
import { FILES_ENTITIES } from '../../lib/files.module.js';
import { DIED } from '../../lib/jobs/job-engine.js';
import type { JobEngine } from '../../lib/jobs/job-engine.js';
import type { OpenDatabase, TestDatabase } from './databases.js';
import { gate } from './gate.js';
import { holdTimers } from './held-time.js';
import { BRIEF, jobsApp, JobNote, JobScript } from './jobs-app.js';
import type { JobsApp, JobsAppOptions } from './jobs-app.js';

/** An engine of the tests: each application gets its own object, on the database that is given. */
export interface TestedEngine {
  /** Makes what the engine needs in the database, once. */
  prepare?(database: OpenDatabase): Promise<void>;
  /** For one application. */
  make(database: OpenDatabase): Promise<JobEngine> | JobEngine;
  /** Ends what was made, when its application is closed. */
  dispose?(database: OpenDatabase): Promise<void>;
  /** How many jobs it has, whatever has become of them; those that are done are none. */
  left(database: OpenDatabase): Promise<number>;
  /**
   * Leaves the one job as a process does that dies in its second attempt; tests of real deaths are in
   * `describe-job-crashes.ts`.
   */
  dieInSecondAttempt?(database: OpenDatabase): Promise<unknown>;
}

/** What holds of every engine. */
export function describeJobs(name: string, kind: TestDatabase, engine: TestedEngine): void {
  describe(`${name} on ${kind.name}`, () => {
    let database: OpenDatabase;
    const apps: JobsApp[] = [];

    beforeEach(async () => {
      database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
      await engine.prepare?.(database);
    });

    afterEach(async () => {
      for (const app of apps.splice(0)) await app.close();
      await engine.dispose?.(database);
      await database.close();
    });

    async function open(options: Partial<JobsAppOptions> = {}): Promise<JobsApp> {
      const { options: own } = database.dataSource;
      const app = await jobsApp({
        ...options,
        database: { ...own, synchronize: false, entities: [] } as never,
        jobs: { ...options.jobs, engine: options.jobs?.engine ?? (await engine.make(database)) },
      });
      apps.push(app);
      return app;
    }

    /** Closes the application, which lets all runs end first. */
    async function close(app: JobsApp): Promise<void> {
      apps.splice(apps.indexOf(app), 1);
      await app.close();
    }

    const notes = async (): Promise<string[]> => {
      const rows = await database.read('SELECT text FROM job_note ORDER BY id');
      return rows.map(({ text }) => String(text));
    };
    const settled = async (): Promise<void> => {
      await expect.poll(() => engine.left(database), { timeout: 20_000 }).toBe(0);
    };

    it('runs the jobs of a committed unit of work, with their payloads', async () => {
      const app = await open();
      const payloads = [{ a: [1, null, { b: 'ü😀 \\u0000 "quoted"' }] }, 'text', 7, true, null, [], {}];
      await app.queue.run(() => payloads.forEach((payload) => app.queue.enqueue('note', payload)));
      await settled();
      expect(new Set(app.script.payloads)).toEqual(new Set(payloads));
      expect(app.script.runs).toHaveLength(payloads.length);
      expect(app.script.runs.every(({ context }) => context.attempt === 1 && !context.signal.aborted)).toBe(true);
      expect(new Set(app.script.runs.map(({ context }) => context.id)).size).toBe(payloads.length);
    });

    it('runs no job before the commit, nor one of a unit that is rolled back', async () => {
      let isOver = false;
      const seen: unknown[] = [];
      const app = await open({ script: new JobScript(({ payload }) => seen.push([payload, isOver])) });
      const queue = (payload: string, end: () => void) =>
        app.queue.run(async () => {
          app.queue.enqueue('note', payload);
          await app.write(payload);
          end();
        });
      const failing = (): void => {
        throw new Error('no');
      };
      await expect(queue('rolled back', failing)).rejects.toThrow('no');
      await queue('committed', () => (isOver = true));
      await settled();
      expect(seen).toEqual([['committed', true]]);
      expect(await notes()).toEqual(['committed']);
    });

    it('runs no job of nested work that was undone', async () => {
      const app = await open();
      await app.queue.run(async () => {
        app.queue.enqueue('note', 'outer');
        await app.queue.run(() => app.queue.enqueue('note', 'nested'));
        const undone = app.queue.run(async () => {
          app.queue.enqueue('note', 'undone');
          await app.queue.run(() => app.queue.enqueue('note', 'in what is undone'));
          throw new Error('undone');
        });
        await expect(undone).rejects.toThrow('undone');
        const transaction = app.dataSource.transaction(async () => {
          app.queue.enqueue('note', 'in a transaction');
          throw new Error('undone');
        });
        await expect(transaction).rejects.toThrow('undone');
        app.queue.enqueue('note', 'outer again');
      });
      await settled();
      expect(new Set(app.script.payloads)).toEqual(new Set(['outer', 'nested', 'outer again']));
    });

    it('keeps jobs that are queued beside nested work that is undone', async () => {
      const app = await open();
      await app.queue.run(async () => {
        const [inside, beside] = [gate(), gate()];
        const undone = app.queue.run(async () => {
          app.queue.enqueue('note', 'undone');
          inside.open();
          await beside.opened;
          throw new Error('undone');
        });
        await inside.opened;
        app.queue.enqueue('note', 'beside');
        beside.open();
        await expect(undone).rejects.toThrow('undone');
      });
      await settled();
      expect(app.script.payloads).toEqual(['beside']);
    });

    it('runs jobs of a unit that has joined if and only if the transaction of the application commits', async () => {
      const app = await open();
      const join = (payload: string) => app.queue.run(() => app.queue.enqueue('note', payload));
      await app.dataSource.transaction(async (manager) => {
        await join('joined');
        await expect(
          app.queue.run(() => {
            app.queue.enqueue('note', 'undone unit');
            throw new Error('undone');
          }),
        ).rejects.toThrow('undone');
        const savepoint = manager.transaction(async () => {
          await join('undone savepoint');
          throw new Error('undone');
        });
        await expect(savepoint).rejects.toThrow('undone');
        await join('joined too');
      });
      const undone = app.dataSource.transaction(async () => {
        await join('rolled back');
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      await settled();
      expect(new Set(app.script.payloads)).toEqual(new Set(['joined', 'joined too']));
    });

    it('queues any number of jobs of a unit by one statement, and none by none', async () => {
      const script = new JobScript(() => undefined);
      const app = await open({ script, jobs: { work: false } });
      const sent: string[] = [];
      const { logger } = app.dataSource;
      logger.logQuery = (sql) => void sent.push(sql);
      const statementsFor = async (count: number): Promise<number> => {
        sent.length = 0;
        await app.queue.run(async () => {
          await app.write('so that there is a transaction');
          for (let at = 0; at < count; at++) app.queue.enqueue('note', { at });
        });
        // Those that look for jobs meanwhile are no part of it.
        return sent.filter((sql) => /INSERT INTO|\.add_jobs?\(/i.test(sql) && !sql.includes('job_note')).length;
      };
      expect(await statementsFor(0)).toBe(0);
      expect(await statementsFor(1)).toBe(1);
      expect(await statementsFor(500)).toBe(1);
      expect(await engine.left(database)).toBe(501);
    });

    it('begins jobs in the order in which they were queued where they run one at a time', async () => {
      const app = await open();
      const all = Array.from({ length: 60 }, (_, at) => `${at}`);
      for (const part of [all.slice(0, 20), all.slice(20, 40), all.slice(40)])
        await app.queue.run(() => part.forEach((payload) => app.queue.enqueue('ordered', payload)));
      await settled();
      expect(app.script.payloads).toEqual(all);
      expect(await notes()).toEqual(all);
    });

    it('carries to each run what a trace of the queueing left for it', async () => {
      const [enqueue, runs] = [tracingChannel(FILES_CHANNELS.enqueue), tracingChannel(FILES_CHANNELS.job)];
      const seen: unknown[] = [];
      const put = { start: (trace: unknown) => void ((trace as EnqueueTrace).carrier['traceparent'] = 'of the unit') };
      const read = { start: (trace: unknown) => void seen.push({ ...(trace as JobTrace) }) };
      enqueue.start.subscribe(put.start);
      runs.start.subscribe(read.start);
      try {
        const app = await open();
        await app.queue.run(() => app.queue.enqueue('note', 'x'));
        await settled();
        const carrier = { traceparent: 'of the unit' };
        const { id } = app.script.runs[0]!.context;
        expect(seen).toMatchObject([{ job: 'note', id, attempt: 1, carrier }]);
      } finally {
        enqueue.start.unsubscribe(put.start);
        runs.start.unsubscribe(read.start);
      }
    });

    it('runs a job again that has failed, with its id and the next attempt', async () => {
      const app = await open({
        script: new JobScript(async ({ context }) => {
          await app.write(`attempt ${context.attempt}`);
          if (context.attempt < 3) throw new Error('not yet');
        }),
      });
      await app.queue.run(() => app.queue.enqueue('note', 'x'));
      await settled();
      const { runs } = app.script;
      expect(runs.map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
      expect(new Set(runs.map(({ context }) => context.id)).size).toBe(1);
      // What the others wrote was rolled back with them.
      expect(await notes()).toEqual(['attempt 3']);
    });

    it('gives a job up after its attempts, tells of it, and runs it again when it is told to', async () => {
      let isFixed = false;
      const script = new JobScript(() => {
        if (!isFixed) throw new Error('still broken');
      });
      const app = await open({ script });
      await app.queue.run(() => app.queue.enqueue('note', { file: 'x' }));
      await expect.poll(() => app.jobs.failed(), { timeout: 20_000 }).toHaveLength(1);
      const [failed] = await app.jobs.failed();
      expect(failed).toMatchObject({ name: 'note', payload: { file: 'x' }, attempts: 3 });
      expect(failed?.error).toContain('still broken');
      expect(Math.abs(Date.now() - (failed?.failedAt.getTime() ?? 0))).toBeLessThan(60_000);
      expect(script.runs).toHaveLength(3);

      isFixed = true;
      expect(await app.jobs.retry(failed?.id ?? '')).toBe(1);
      expect(await app.jobs.retry(failed?.id ?? '')).toBe(0);
      await settled();
      expect(script.runs).toHaveLength(4);
      expect(await app.jobs.failed()).toEqual([]);
    });

    it('tells a handler whose job is given up, and lists the job', async () => {
      const { queue, jobs, script } = await open({
        script: new JobScript(() => {
          throw new Error('no');
        }),
      });
      await queue.run(() => queue.enqueue('doomed', 'x'));
      await expect.poll(() => jobs.failed(), { timeout: 20_000 }).toMatchObject([{ name: 'doomed', attempts: 2 }]);
      expect(script.givenUp).toEqual([['x', 'Error: no']]);
      expect(script.runs).toHaveLength(2);
    });

    it.runIf(engine.dieInSecondAttempt)(
      'gives a job up whose process died in its last attempt, and tells its handler',
      async () => {
        const queueing = await open({ jobs: { work: false } });
        await queueing.queue.run(() => queueing.queue.enqueue('doomed', 'x'));
        await engine.dieInSecondAttempt?.(database);
        const { jobs, script } = await open();
        await expect.poll(() => jobs.failed(), { timeout: 20_000 }).toHaveLength(1);
        expect(await jobs.failed()).toMatchObject([{ name: 'doomed', attempts: 2, payload: 'x', error: DIED }]);
        expect(script.givenUp).toEqual([['x', DIED]]);
        expect(script.runs).toEqual([]);
      },
    );

    it('queues one job with a key', async () => {
      const app = await open({ jobs: { work: false } });
      await app.queue.run(() => {
        app.queue.enqueue('note', 'first', { key: 'a' });
        app.queue.enqueue('note', 'second', { key: 'a' });
        app.queue.enqueue('note', 'another', { key: 'b' });
        app.queue.enqueue('ordered', 'of another name', { key: 'a' });
      });
      await app.queue.run(() => app.queue.enqueue('note', 'third', { key: 'a' }));
      const undone = app.queue.run(() => {
        app.queue.enqueue('note', 'undone', { key: 'c' });
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      await app.queue.run(() => app.queue.enqueue('note', 'after the undone one', { key: 'c' }));
      const { script } = await open();
      await settled();
      const ran = script.payloads.map(String).toSorted();
      expect(ran).toEqual(['after the undone one', 'another', 'first', 'of another name']);
    });

    it('runs a delayed job when its time has come', async () => {
      const app = await open();
      // The engine is at work then, so that what it does first takes none of the delay.
      await app.queue.run(() => app.queue.enqueue('note', 'before'));
      await app.script.begun(1);
      const from = Date.now();
      await app.queue.run(() => {
        app.queue.enqueue('note', 'later', { delay: 1_500 });
        app.queue.enqueue('note', 'now');
      });
      await app.script.begun(2);
      expect(app.script.payloads).toEqual(['before', 'now']);
      await app.script.begun(3);
      expect(app.script.payloads).toEqual(['before', 'now', 'later']);
      // Servers of engines have clocks of their own, and count in whole steps.
      expect(Date.now() - from).toBeGreaterThan(1_400);
      await settled();
    });

    it('lets handlers queue jobs in their units', async () => {
      const app = await open({
        script: new JobScript(({ payload, context }) => {
          const left = Number(payload);
          if (left > 0) app.queue.enqueue('note', left - 1);
          if (left === 2 && context.attempt === 1) throw new Error('and what it queued is undone');
        }),
      });
      await app.queue.run(() => app.queue.enqueue('note', 3));
      await app.script.begun(5);
      await settled();
      expect(app.script.payloads).toEqual([3, 2, 2, 1, 0]);
    });

    it('opens no unit of work around a run where the handler wants none', async () => {
      const isActive: boolean[] = [];
      const app = await open({
        script: new JobScript(({ context }) => {
          isActive.push(app.queue.isActive);
          if (context.attempt === 1) throw new Error('again');
        }),
      });
      await app.queue.run(() => app.queue.enqueue('alone', 'x'));
      await settled();
      expect(isActive).toEqual([false, false]);
    });

    it('ends a run at its timeout, and undoes its writes', async () => {
      const pass = holdTimers(BRIEF);
      let reason: unknown;
      const app = await open({
        script: new JobScript(async ({ context: { signal } }) => {
          signal.addEventListener('abort', () => ({ reason } = signal));
          await app.write('too slow');
          pass();
          await new Promise(() => undefined);
        }),
      });
      await app.queue.run(() => app.queue.enqueue('brief', 'x'));
      const failed = () => app.jobs.failed();
      await expect.poll(failed, { timeout: 20_000 }).toMatchObject([{ error: expect.stringContaining('"brief"') }]);
      expect(reason).toMatchObject({ code: 'FILES_JOB_TIMEOUT' });
      expect(await notes()).toEqual([]);
    });

    it('lets runs end at a shutdown, and begins no others', async () => {
      const running = gate();
      const jobs = { engine: await engine.make(database) };
      const app = await open({ jobs, script: new JobScript(() => running.opened.then(() => app.write('ended'))) });
      await app.queue.run(() => ['1', '2', '3'].forEach((one) => app.queue.enqueue('ordered', one)));
      await app.script.begun(1);
      const closing = vi.spyOn(app.jobs, 'beforeApplicationShutdown');
      const closed = close(app);
      await expect.poll(() => closing.mock.calls).toHaveLength(1);
      running.open();
      await closed;
      expect(app.script.payloads).toEqual(['1']);
      expect(await notes()).toEqual(['ended']);
      expect(await engine.left(database)).toBe(2);
      const next = await open();
      await settled();
      expect(next.script.payloads).toEqual(['2', '3']);
    });

    it('aborts runs that a shutdown would have to wait for too long, and runs them again next time', async () => {
      let reason: unknown;
      const app = await open({
        shutdownTimeout: 50,
        script: new JobScript(async ({ context: { signal } }) => {
          signal.addEventListener('abort', () => ({ reason } = signal));
          await app.write('aborted');
          await new Promise(() => undefined);
        }),
      });
      await app.queue.run(() => app.queue.enqueue('note', 'x'));
      await app.script.begun(1);
      await close(app);
      expect(reason).toMatchObject({ code: 'FILES_SHUTTING_DOWN' });
      expect(await notes()).toEqual([]);
      const next = await open();
      await settled();
      expect(next.script.payloads).toEqual(['x']);
      expect(await notes()).toEqual(['x']);
    });

    it('serves one application after the other, also after a shutdown that aborted runs', async () => {
      const jobs = { engine: await engine.make(database) };
      const first = await open({
        jobs,
        shutdownTimeout: 20,
        script: new JobScript(() => new Promise(() => undefined)),
      });
      await first.queue.run(() => first.queue.enqueue('note', 'left'));
      await first.script.begun(1);
      await close(first);
      const second = await open({ jobs });
      await second.queue.run(() => second.queue.enqueue('note', 'queued'));
      await settled();
      expect(new Set(second.script.payloads)).toEqual(new Set(['left', 'queued']));
      expect(second.script.runs).toHaveLength(2);
    });

    it('serves two applications side by side, of which one ends', async () => {
      const jobs = { engine: await engine.make(database) };
      const [one, other] = [await open({ jobs }), await open({ jobs })];
      await close(other);
      await one.queue.run(() => one.queue.enqueue('note', 'x'));
      await settled();
      expect([one.script.payloads, other.script.payloads]).toEqual([['x'], []]);
    });

    it('runs jobs as nobody, whoever queued them or ran before', async () => {
      const running = gate();
      const session = new AsyncLocalStorage<string>();
      const actors: unknown[] = [];
      const script = new JobScript(async ({ payload }) => {
        actors.push([payload, await app.actor(), session.getStore()]);
        if (payload === 'first') await running.opened;
      });
      const app = await open({ script });
      const queue = (payload: string) => app.queue.run(() => app.queue.enqueue('single', payload));
      await session.run('ada', () => actAs({ type: 'user', id: 'ada' }, () => queue('first')));
      await app.script.begun(1);
      await actAs({ type: 'user', id: 'ben' }, () => queue('second'));
      await queue('third');
      running.open();
      await settled();
      expect(actors).toEqual(['first', 'second', 'third'].map((payload) => [payload, null, undefined]));
    });

    it('leaves jobs that a process only queues to those that run them', async () => {
      const queueing = await open({ jobs: { work: false } });
      await queueing.queue.run(() => queueing.queue.enqueue('note', 'x'));
      expect(await engine.left(database)).toBe(1);
      const working = await open();
      await settled();
      expect([queueing.script.payloads, working.script.payloads]).toEqual([[], ['x']]);
    });

    it('runs each job once where several applications run jobs', async () => {
      const [one, other] = [await open(), await open()];
      const all = Array.from({ length: 200 }, (_, at) => `${at}`);
      const queue = (app: JobsApp, payloads: string[]) =>
        app.queue.run(() => payloads.forEach((payload) => app.queue.enqueue('note', payload)));
      await Promise.all([queue(one, all.slice(100)), queue(other, all.slice(0, 100))]);
      await settled();
      const runs = [...one.script.payloads, ...other.script.payloads].map(String);
      expect(runs.toSorted()).toEqual(all.toSorted());
      expect((await notes()).toSorted()).toEqual(all.toSorted());
    });
  });
}
