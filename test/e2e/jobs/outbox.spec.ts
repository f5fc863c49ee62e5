import { expect, it, onTestFinished, vi } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { Outbox } from '../../../lib/jobs/outbox/outbox.js';
import { outboxJobs } from '../../../lib/jobs/outbox/outbox-engine.js';
import type { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';
import { describeJobs } from '../../support/describe-jobs.js';
import { gate } from '../../support/gate.js';
import { jobsApp, JobNote, JobScript } from '../../support/jobs-app.js';

const kinds = await reachableDatabases('file', 'postgres', 'mariadb');

for (const kind of kinds) {
  describeJobs('outboxJobs', kind, {
    make: () => outboxJobs({ poll: 20 }),
    left: async ({ read }) => {
      const [row] = await read("SELECT COUNT(*) AS jobs FROM files_job WHERE state <> 'done'");
      return Number(row?.['jobs']);
    },
    dieInSecondAttempt: ({ dataSource }) =>
      dataSource.query("UPDATE files_job SET attempts = 2, lease_owner = 'a0000000-0000-7000-8000-000000000000'"),
  });
}

it.each(kinds)('takes the job that is due first while others look for other jobs, on $name', async (kind) => {
  const database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
  const connection = { ...database.dataSource.options, synchronize: false, entities: [] } as never;
  let transactor: Transactor | undefined;
  const engine = outboxJobs();
  const start = engine.start.bind(engine);
  engine.start = (host) => {
    ({ transactor } = host);
    return start(host);
  };
  const app = await jobsApp({ database: connection, jobs: { engine, work: false } });
  const all = Array.from({ length: 60 }, (_, at) => at);
  await app.queue.run(() => all.forEach((payload) => app.queue.enqueue('ordered', payload)));

  const outbox = new Outbox(transactor!, Date.now, 1);
  let isOver = false;
  const others = ['alone', 'brief', 'note'].map(async (name) => {
    while (!isOver) expect(await outbox.take(name, 4, 60_000)).toEqual([]);
  });
  const taken: unknown[] = [];
  for (const _ of all) {
    for (const job of await outbox.take('ordered', 1, 60_000)) {
      taken.push(job.data.payload);
      expect(await outbox.end(job)).toBe(true);
    }
  }
  isOver = true;
  await Promise.all(others);
  expect(taken).toEqual(all);
  await app.close();
  await database.close();
});

it.each(kinds)('runs a job once whose lease seems to be over after the machine was asleep, on $name', async (kind) => {
  const database = await kind.open({ entities: [...FILES_ENTITIES, JobNote] });
  onTestFinished(() => database.close());
  const now = vi.spyOn(Date, 'now');
  onTestFinished(() => now.mockRestore());
  const awake = gate();
  const app = await jobsApp({
    database: { ...database.dataSource.options, synchronize: false, entities: [] } as never,
    jobs: { engine: outboxJobs({ poll: 10 }) },
    script: new JobScript(() => awake.opened),
  });
  onTestFinished(() => app.close());
  await app.queue.run(() => app.queue.enqueue('alone', 'x'));
  await app.script.begun(1);
  const later = Date.now() + 61_000;
  now.mockReturnValue(later);
  let looks = 0;
  app.dataSource.logger.logQuery = (sql) => (looks += /^SELECT.*files_job/.test(sql) ? 1 : 0);
  await expect.poll(() => looks).toBeGreaterThan(4);
  awake.open();
  await expect.poll(() => database.read('SELECT id FROM files_job')).toEqual([]);
  expect(app.script.runs).toHaveLength(1);
});
