import 'reflect-metadata';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesSweeper } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { startCrashPortal } from './crash-portal.js';
import { Steps } from './steps.js';
import type { ChildCommand, ChildOptions } from './portal-process.js';
import { watchFileSystem, watchStatements } from './watched.js';

/** The portal as a process of its own, which dies where it is told to, and with whoever started it. */
process.on('disconnect', () => process.exit());
const { database, root } = JSON.parse(process.argv[2]!) as ChildOptions;
const steps = new Steps();
watchStatements(database as DataSourceOptions, steps);
watchFileSystem(steps);
// The tables are there, and looking for them takes longer than all the rest.
DataSource.prototype.synchronize = () => Promise.resolve();

const { app, url } = await startCrashPortal({ database, storage: fsStorage({ root, fsync: false }) });

const obey: Record<ChildCommand['do'], (command: ChildCommand) => unknown> = {
  count: ({ deadly }) => steps.count(deadly),
  steps: () => steps.names,
  sweep: () => app.get(FilesSweeper).sweep(),
};

process.on('message', (command: ChildCommand) => {
  void Promise.resolve(obey[command.do](command)).then((answer) => process.send!({ answer }));
});
process.send!({ answer: url });
