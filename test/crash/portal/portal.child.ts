import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { watchedS3 } from '../s3-bytes.js';
import type { Watch } from '../s3-bytes.js';
import { startCrashPortal } from './crash-portal.js';
import type { Command, Place } from './portal-process.js';
import { Steps } from './steps.js';
import { watchFileSystem, watchStatements } from './watched.js';

/** Portals in a process of their own, which hold where they are told to, and end with whoever started the process. */
process.on('disconnect', () => process.exit());

interface Running {
  place: Place;
  steps: Steps;
  app?: INestApplication;
}

const running: Running[] = (JSON.parse(process.argv[2]!) as Place[]).map((place, portal) => ({
  place,
  steps: new Steps(() => process.send!({ portal, held: true })),
}));
const stepsOf = (path: string) =>
  running.find(
    ({ place }) => place.database.database === path || (place.root !== undefined && path.startsWith(place.root)),
  )?.steps;

watchStatements(running[0]!.place.database as DataSourceOptions, stepsOf);
watchFileSystem(stepsOf);
// The tables are there, and looking for them takes longer than all the rest.
DataSource.prototype.synchronize = () => Promise.resolve();

const commands: Record<Command['do'], (portal: Running, command: Command) => unknown> = {
  count: ({ steps }, { last }) => steps.count(last),
  steps: ({ steps }) => steps.names,
  sweep: ({ app }) => app!.get(FilesSweeper).sweep(),
};

process.on('message', (command: Command) => {
  const { portal } = command;
  const answer = Promise.resolve(commands[command.do](running[portal]!, command));
  void answer.then((result) => process.send!({ portal, result }));
});

const urls: string[] = [];
for (const portal of running) {
  const { database, root = '', s3 } = portal.place;
  const watch: Watch = (name, send) => portal.steps.through(name, send);
  const storage = s3 ? watchedS3(s3, watch) : fsStorage({ root, fsync: false });
  const { app, url } = await startCrashPortal({ database, storage });
  portal.app = app;
  urls.push(url);
}
process.send!({ urls });
