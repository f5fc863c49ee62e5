import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { outboxJobs } from 'nestjs-files/jobs';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { s3Storage } from 'nestjs-files/storage/s3';
import { ClientModules } from '../../lib/http/routes/assets-endpoints.js';
import { readSweeperOptions, SWEEPER_OPTIONS } from '../../lib/files/intents/sweeper-options.js';
import { JOBS_OPTIONS, readJobsOptions } from '../../lib/jobs/jobs-options.js';
import { PortalModule } from '../../sample/portal/portal.module.js';
import { s3Config } from '../support/s3-server.js';
import type { Asked, ReplicaPlace } from './replica.js';
import { ReplicaModule } from './replica.module.js';

/** The portal as a process of its own, which ends with whoever started it. */
process.on('disconnect', () => process.exit());

const { database, endpoint, bucket, port, quota } = JSON.parse(process.argv[2]!) as ReplicaPlace;

const testing = await Test.createTestingModule({
  imports: [
    PortalModule.forRoot({
      database: database as TypeOrmModuleOptions,
      storage: s3Storage({ client: { ...s3Config(), endpoint }, bucket, downloads: 'redirect' }),
      packageQuota: quota,
    }),
    ReplicaModule,
  ],
})
  .overrideProvider(SWEEPER_OPTIONS)
  .useValue(readSweeperOptions({ interval: 200, grace: 30_000, batch: 10, lease: 1_000 }))
  .overrideProvider(JOBS_OPTIONS)
  .useValue(readJobsOptions({ engine: outboxJobs({ poll: 200, lease: 2_000 }) }, 10_000))
  // It is compiled into one module, and no browser comes here.
  .overrideProvider(ClientModules)
  .useValue({ find: () => undefined })
  .compile();
const app = testing.createNestApplication({ logger: process.env['REPLICAS_LOG'] ? ['error', 'warn', 'log'] : false });
app.enableShutdownHooks();
await app.listen(port, '127.0.0.1');

const commands: Record<Asked['do'], () => unknown> = {
  ping: () => 'pong',
  /** All that was left, whatever its age. */
  sweep: async () => {
    Object.assign(app.get<object>(SWEEPER_OPTIONS, { strict: false }), { grace: 1 });
    return app.get(FilesSweeper).sweep();
  },
};

process.on('message', ({ id, do: what }: Asked) => {
  void Promise.resolve(commands[what]()).then((result) => process.send!({ id, result }));
});
process.send!({ url: await app.getUrl() });
