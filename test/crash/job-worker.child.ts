import 'reflect-metadata';
import type { DataSourceOptions } from 'typeorm';
import { outboxJobs } from '../../lib/jobs/outbox/outbox-engine.js';
import { jobsApp } from '../support/jobs-app.js';

/** What the process does, given as JSON. */
export interface WorkerTask {
  readonly database: DataSourceOptions;
  readonly lease: number;
  /** Saves a record with a job, works that off, and dies when it sends its statement of this number; else it works off what is there. */
  readonly dieAt?: number;
}

const { database, lease, dieAt } = JSON.parse(process.argv[2] ?? '') as WorkerTask;
const app = await jobsApp({ database, jobs: { engine: outboxJobs({ poll: 20, lease }) } });
process.once('disconnect', () => process.exit());

if (dieAt === undefined) {
  process.send?.('ready');
} else {
  let sent = 0;
  app.dataSource.logger.logQuery = () => {
    if (++sent === dieAt) process.kill(process.pid, 'SIGKILL');
  };
  await app.queue.run(async () => {
    await app.write('record');
    app.queue.enqueue('note', 'job');
  });
  await app.script.begun(1);
  await app.close();
  process.exit();
}
