import { afterEach, describe, expect, it } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/files.module.js';
import { testTaskQueue } from '../../../lib/testing/index.js';
import { reachableDatabases, theDatabase } from '../../support/databases.js';
import type { OpenDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { jobsApp, JobNote, JobScript } from '../../support/jobs-app.js';
import type { EnqueueOptions } from '../../../lib/task-queue/job-intake.js';
import type { JobsApp, JobsAppOptions } from '../../support/jobs-app.js';
import { outboxJobs } from '../../../lib/jobs/outbox/outbox-engine.js';
import { QueuedJob } from '../../../lib/jobs/outbox/queued-job.entity.js';
import { uuidV7 } from '../../../lib/files/file-id.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const [one = await theDatabase()] = await reachableDatabases('file', 'postgres', 'mariadb');

async function open(
  options: Partial<JobsAppOptions> = {},
  kind = one,
): Promise<{ app: JobsApp; database: OpenDatabase }> {
  const database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
  closing.push(() => database.close());
  const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
  const app = await jobsApp({ database: connection, ...options });
  closing.push(() => app.close());
  return { app, database };
}

describe('enqueue()', () => {
  it.each([
    ['nobody handles it', ['mail', null], 'FILES_JOB_UNKNOWN', /@FileJob\("mail"\).*Known jobs: note,.*work: false/],
    [
      'its payload is no JSON',
      ['note', new Date()],
      'FILES_JOB_PAYLOAD_INVALID',
      /"note".*payload is of the class Date/,
    ],
    [
      'its delay is no time',
      ['note', 1, { delay: -1 }],
      'FILES_JOB_OPTION_INVALID',
      /"delay" is -1; it must be a whole number of milliseconds from 0 to \d+\./,
    ],
    [
      'its delay never ends',
      ['note', 1, { delay: 8.64e15 }],
      'FILES_JOB_OPTION_INVALID',
      /"delay" is 8640000000000000; .* from 0 to \d+\./,
    ],
    ['its key is empty', ['note', 1, { key: '' }], 'FILES_JOB_OPTION_INVALID', /"key" is ""/],
    ['its key has spaces at its end', ['note', 1, { key: 'a ' }], 'FILES_JOB_OPTION_INVALID', /"key" is "a "/],
    ['its key is too long', ['note', 1, { key: 'k'.repeat(192) }], 'FILES_JOB_OPTION_INVALID', /191/],
  ] as [string, [string, unknown, EnqueueOptions?], string, RegExp][])(
    'refuses a job where %s, and the unit goes on if it catches that',
    async (_why, args, code, message) => {
      const { app, database } = await open();
      await app.queue.run(async () => {
        const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error;
        expect(() => app.queue.enqueue(...args)).toThrow(refusal);
        await app.write('saved');
      });
      expect(await database.read('SELECT text FROM job_note')).toEqual([{ text: 'saved' }]);
      expect(await database.read('SELECT id FROM files_job')).toEqual([]);
    },
  );

  it('is refused outside of a unit of work, and after its end', async () => {
    const { app } = await open();
    const missing = expect.objectContaining({ code: 'FILES_TASK_QUEUE_MISSING' }) as Error;
    expect(() => app.queue.enqueue('note', 1)).toThrow(missing);
    let late: unknown;
    await app.queue.run(() => {
      app.queue.afterCommit(() => {
        try {
          app.queue.enqueue('note', 1);
        } catch (error) {
          late = error;
        }
      });
    });
    expect(late).toEqual(missing);
  });

  it('keeps the payload as it was, whatever becomes of the object', async () => {
    const { app } = await open();
    const payload = { text: 'before' };
    await app.queue.run(() => {
      app.queue.enqueue('note', payload);
      payload.text = 'after';
    });
    await app.script.begun(1);
    expect(app.script.payloads).toEqual([{ text: 'before' }]);
  });

  it('refuses the commit where SQL of the application may have undone it', async () => {
    const { app, database } = await open();
    const unit = app.queue.run(async () => {
      await app.dataSource.query('SAVEPOINT mine');
      app.queue.enqueue('note', 1);
      await app.dataSource.query('ROLLBACK TO SAVEPOINT mine');
    });
    await expect(unit).rejects.toMatchObject({
      code: 'FILES_UNIT_ABORTED',
      message: expect.stringContaining('"note"'),
    });
    expect(await database.read('SELECT id FROM files_job')).toEqual([]);
  });

  it('is noted without a database by testTaskQueue(), if the unit is committed', async () => {
    const queue = testTaskQueue();
    await queue.run(() => queue.enqueue('mail', { to: 'ada' }, { key: 'ada' }));
    const undone = queue.run(() => {
      queue.enqueue('mail', { to: 'bob' });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(queue.jobs).toEqual([{ job: 'mail', payload: { to: 'ada' }, options: { key: 'ada' } }]);
    await expect(queue.run(() => queue.enqueue('mail', new Date()))).rejects.toThrow('of the class Date');
  });
});

// On SQLite nobody else can write while a run has a unit of work.
const servers = await reachableDatabases('postgres', 'mariadb');

describe('the outbox', () => {
  const engine = () => outboxJobs({ poll: 20, lease: 150 });

  it('gives a job up whose process died in its last attempt', async () => {
    const { app, database } = await open({ jobs: { work: false } });
    await app.queue.run(() => app.queue.enqueue('note', 1));
    // As three processes leave it that died while they had it.
    await database.dataSource.query(
      "UPDATE files_job SET attempts = 3, lease_owner = 'a0000000-0000-7000-8000-000000000000'",
    );
    const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
    const working = await jobsApp({ database: connection, jobs: { engine: engine() } });
    closing.push(() => working.close());
    await expect.poll(() => working.jobs.failed()).toMatchObject([{ error: expect.stringContaining('process died') }]);
    expect(working.script.payloads).toEqual([]);
  });

  it.each(servers)('rolls a run back whose lease was lost on $name', async (kind) => {
    const [began, end] = [gate(), gate()];
    const script = new JobScript(async () => {
      await app.write('too late');
      began.open();
      await end.opened;
    });
    const { app, database } = await open({ script, jobs: { engine: outboxJobs({ poll: 20 }) } }, kind);
    await app.queue.run(() => app.queue.enqueue('alone', 1));
    await app.queue.run(() => app.queue.enqueue('note', 1));
    await began.opened;
    await script.begun(2);
    const other = 'b0000000-0000-7000-8000-000000000000';
    await database.dataSource.query(`UPDATE files_job SET lease_owner = '${other}'`);
    end.open();
    closing.pop();
    await app.close();
    const rows = await database.read('SELECT lease_owner, last_error FROM files_job');
    expect(rows).toEqual([
      { lease_owner: other, last_error: null },
      { lease_owner: other, last_error: null },
    ]);
    // That of the handler without a unit stays.
    expect(await database.read('SELECT text FROM job_note')).toEqual([{ text: 'too late' }]);
  });

  it('begins a job at once when its unit is committed, and the next when one has ended, without looking for any', async () => {
    const { app } = await open({ jobs: { engine: outboxJobs({ poll: 2 ** 31 - 1 }) } });
    await app.dataSource.transaction(() =>
      app.queue.run(() => ['1', '2', '3'].forEach((one) => app.queue.enqueue('ordered', one))),
    );
    await app.script.begun(3);
    await app.queue.run(() => app.queue.enqueue('note', '4'));
    await app.script.begun(4);
    expect(app.script.payloads).toEqual(['1', '2', '3', '4']);
  });

  it('does not count a run that a shutdown aborted, and lets the job run again at once', async () => {
    const script = new JobScript(() => new Promise(() => undefined));
    const { app, database } = await open({ script, shutdownTimeout: 20 });
    await app.queue.run(() => app.queue.enqueue('note', 1));
    await script.begun(1);
    closing.pop();
    await app.close();
    const [row] = await database.read('SELECT state, attempts, due_at, lease_owner, last_error FROM files_job');
    expect(row).toMatchObject({ state: 'open', attempts: 0, lease_owner: null, last_error: null });
    expect(Number(row?.['due_at'])).toBeLessThanOrEqual(Date.now());
  });

  it('keeps a job that takes longer than its lease', async () => {
    const end = gate();
    const script = new JobScript(() => end.opened);
    const lease = 1_000;
    const { app, database } = await open({ script, jobs: { engine: outboxJobs({ poll: 20, lease }) } });
    await app.queue.run(() => app.queue.enqueue('alone', 1));
    await script.begun(1);
    const until = async () => Number((await database.read('SELECT due_at FROM files_job'))[0]?.['due_at']);
    const first = await until();
    await expect.poll(until).toBeGreaterThan(first + lease);
    end.open();
    await expect.poll(() => database.read('SELECT id FROM files_job')).toEqual([]);
    expect(script.runs).toHaveLength(1);
  });

  it('removes many old jobs that are done, a part at a time, also those of names that are no longer handled', async () => {
    const database = await one.open({ entities: [...FILES_ENTITIES, JobNote] });
    closing.push(() => database.close());
    const rows = database.dataSource.getRepository(QueuedJob);
    const job = { data: { payload: null }, state: 'done' as const, attempts: 1, leaseOwner: null, lastError: null };
    const [old, now] = [new Date(0), new Date()];
    const jobs = Array.from({ length: 2_100 }, (_, at) => {
      const name = at % 2 === 0 ? 'note' : 'gone';
      return { ...job, id: uuidV7(), name, key: `${at}`, dueAt: at < 2_099 ? old : now, createdAt: old };
    });
    await rows.save(jobs, { chunk: 500 });
    const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
    const app = await jobsApp({ database: connection });
    closing.push(() => app.close());
    await expect
      .poll(() => database.read('SELECT name, job_key FROM files_job'))
      .toEqual([{ name: 'gone', job_key: '2099' }]);
  });

  it('keeps the key of a job that is done, until it is old', async () => {
    const { app, database } = await open({ jobs: { engine: outboxJobs({ poll: 20, keepKeys: 3_600_000 }) } });
    const queue = () => app.queue.run(() => app.queue.enqueue('note', 1, { key: 'a' }));
    await queue();
    await expect.poll(() => database.read('SELECT state FROM files_job')).toEqual([{ state: 'done' }]);
    await queue();
    expect(await database.read('SELECT state FROM files_job')).toEqual([{ state: 'done' }]);
    closing.pop();
    await app.close();
    await database.dataSource.query(`UPDATE files_job SET due_at = ${Date.now() - 3_600_000}`);
    const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
    const next = await jobsApp({ database: connection, jobs: { engine: outboxJobs({ keepKeys: 3_600_000 }) } });
    closing.push(() => next.close());
    await expect.poll(() => database.read('SELECT state FROM files_job')).toEqual([]);
    expect(app.script.runs).toHaveLength(1);
  });
});
