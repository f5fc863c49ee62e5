import 'reflect-metadata';
import { once } from 'node:events';
import type { DataSourceOptions } from 'typeorm';
import { bullmqJobs } from '../../../lib/jobs/engines/bullmq.jobs.js';
import { jobsApp } from '../../support/jobs-app.js';

/** What the process does, given as JSON. */
export interface AwayTask {
  readonly database: DataSourceOptions;
  readonly connection: { readonly host: string; readonly port: number };
  readonly prefix: string;
  /** Whether it runs a job before it is told to end. */
  readonly runsJob: boolean;
}

const { database, connection, prefix, runsJob } = JSON.parse(process.argv[2] ?? '') as AwayTask;
const app = await jobsApp({ database, jobs: { engine: bullmqJobs({ connection, prefix, poll: 20 }) } });
await app.queue.run(() => app.queue.enqueue('note', 'x'));
if (runsJob) await app.script.begun(1);
process.send?.('ready');
await once(process, 'message');
await app.close();
// Nothing else keeps it alive.
process.disconnect();
