import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { DataSourceOptions } from 'typeorm';
import { DataSource } from 'typeorm';
import { FilesService } from '../../lib/files/files.service.js';
import { QueuedJob } from '../../lib/jobs/outbox/queued-job.entity.js';
import { copyingModule } from '../support/copying-module.js';

/** What the process does, given as JSON. */
export interface DeriveTask {
  readonly database: DataSourceOptions;
  readonly root: string;
  /** It replaces a new file, and dies when it sends its statement of this number since then. */
  readonly dieAt: number;
}

const { database, root, dieAt } = JSON.parse(process.argv[2] ?? '') as DeriveTask;
const app = await NestFactory.createApplicationContext(copyingModule(database, root), { logger: ['error'] });
const files = app.get(FilesService);
const dataSource = app.get(DataSource);
const jobs = dataSource.getRepository(QueuedJob);

const { id } = await files.create(Buffer.from('old'), { name: 'a.txt', owner: null });
let sent = 0;
let isLooking = false;
dataSource.logger.logQuery = () => {
  if (!isLooking && ++sent === dieAt) process.kill(process.pid, 'SIGKILL');
};
await files.replace(id, Buffer.from('new'));
for (let open = 1; open > 0;) {
  await setImmediate();
  isLooking = true;
  const count = jobs.countBy({ state: 'open' });
  isLooking = false;
  open = await count;
}
await app.close();
process.exit();
