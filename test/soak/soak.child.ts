import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import type { Server } from 'node:http';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { TaskQueue } from 'nestjs-files';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { faultyStorage } from 'nestjs-files/testing';
import { SWEEPER_OPTIONS } from '../../lib/files/intents/sweeper-options.js';
import { Mischief } from './mischief.js';
import { startSoakApp } from './soak-app.js';
import type { SoakCommand, SoakPlace } from './soak-process.js';
import { takeMeasure, watchForgotten } from './measure.js';
import { UnitCount } from './unit-count.js';

/** The application as a process of its own, which ends with whoever started it. */
process.on('disconnect', () => process.exit());

watchForgotten();
const { database, root, seed, poolSize } = JSON.parse(process.argv[2]!) as SoakPlace;
const storage = faultyStorage(fsStorage({ root, fsync: false }));
const mischief = new Mischief(storage, seed);
const units = new UnitCount();
const isServer = database.type !== 'better-sqlite3';

const app: INestApplication = await startSoakApp({
  storage,
  mischief,
  database: {
    ...database,
    // No timers of the pool's own: what timers there are at rest are somebody's who forgot them.
    ...(isServer ? { poolSize, applicationName: 'soak', extra: { idleTimeoutMillis: 0 } } : {}),
  } as DataSourceOptions,
});
const server = app.getHttpServer() as Server;
// Clients think for shorter than that.
server.keepAliveTimeout = 120_000;

/** Opens as many units at once as there are connections: if one is lent for ever, they never meet. */
async function lendAll(): Promise<void> {
  const count = isServer ? poolSize : 1;
  let begun = 0;
  let meet: () => void = () => undefined;
  const met = new Promise<void>((resolve) => (meet = resolve));
  const unit = () =>
    app.get(TaskQueue).run(
      async () => {
        await app.get(DataSource).query('SELECT 1');
        if (++begun === count) meet();
        await met;
      },
      { timeout: 10_000 },
    );
  await Promise.all(Array.from({ length: count }, unit));
}

/** All that was left, whatever its age. */
async function sweep(): Promise<unknown> {
  Object.assign(app.get<object>(SWEEPER_OPTIONS, { strict: false }), { grace: 0, lease: 1 });
  // One that has begun before may have looked at nothing so young.
  await app.get(FilesSweeper).sweep();
  return app.get(FilesSweeper).sweep();
}

const commands: Record<SoakCommand['do'], () => unknown> = {
  disturb: () => mischief.begin(),
  calm: () => mischief.end(),
  measure: () => takeMeasure(app.get(DataSource), units, mischief),
  hangUp: () => server.closeAllConnections(),
  lendAll,
  sweep,
};

process.on('message', ({ id, do: what }: SoakCommand) => {
  void Promise.resolve()
    .then(() => commands[what]())
    .then(
      (result) => process.send!({ id, result }),
      (error: unknown) => process.send!({ id, failed: String(error) }),
    );
});
process.send!({ url: await app.getUrl() });
