// How long does an audit of a million files and 200 000 records take, and how much memory? Each one runs in a process
// of its own.

import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule } from '../lib/index.js';
import { FilesAudit } from '../lib/entry/maintenance.js';
import type { StorageAdapter } from '../lib/entry/storage.js';
import { fsStorage } from '../lib/storage/adapters/fs.storage.js';
import { Dossier, fillDossiers } from './support/dossiers.js';
import { withFilesDatabase } from './support/databases.js';

const RECORDS = 200_000;
const MEBIBYTE = 1024 * 1024;

/** Answers at once that all bytes are there, so that what is measured is the audit. */
const instantAdapter: StorageAdapter = {
  stat: () => Promise.resolve({ size: 0, modifiedAt: new Date(0) }),
};

interface Report {
  readonly seconds: number;
  /** Of this process, in seconds. */
  readonly cpu: number;
  readonly before: number;
  readonly peak: number;
  readonly findings: number;
}

/** Runs in the child. Memory is looked at all the time, because the peak since the start has the start in it. */
async function run(database: DataSourceOptions, bytes: boolean, root: string): Promise<Report> {
  const imports = [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    TypeOrmModule.forFeature([Dossier]),
    FilesModule.forRoot({ storages: { default: root ? fsStorage({ root }) : instantAdapter }, sweeper: false }),
  ];
  class AppModule {}
  const app = await NestFactory.createApplicationContext({ module: AppModule, imports }, { logger: ['error'] });
  const audit = app.get(FilesAudit);
  // What is loaded and compiled when it is first used is not what an audit takes.
  await audit.run({ since: new Date() }).next();
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 50);
  const begun = performance.now();
  const cpuBegun = process.cpuUsage();
  let findings = 0;
  for await (const finding of audit.run({ bytes })) if (findings++ === 0) console.log(finding);
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpuBegun);
  clearInterval(watch);
  await app.close();
  return { seconds, cpu: (user + system) / 1e6, before, peak, findings };
}

async function measure(name: string, database: DataSourceOptions, bytes: boolean, root = ''): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['run', JSON.stringify(database), String(bytes), root]);
  const [{ seconds, cpu, before, peak, findings }] = (await once(child, 'message')) as [Report];
  await once(child, 'exit');
  if (findings > 0) throw new Error(`${findings} findings where all is well.`);
  const [had, took] = [before, peak - before].map((size) => Math.round(size / MEBIBYTE));
  console.log(`| ${name} | ${seconds.toFixed(1)} s | ${cpu.toFixed(1)} s | ${had} MiB | +${took} MiB |`);
}

export async function audit(): Promise<void> {
  console.log(`\n### An audit of ${RECORDS} records and ${RECORDS * 5} files\n`);
  console.log('| | time | of it CPU of this process | memory before | growth |\n| --- | --- | --- | --- | --- |');
  for (const kind of ['postgres', 'mariadb', 'sqlite'] as const) {
    await withFilesDatabase(kind, async (database) => {
      const source = await new DataSource({ ...database, entities: [Dossier], synchronize: true }).initialize();
      await fillDossiers(source, RECORDS);
      await source.destroy();
      await measure(`${kind}, without bytes`, database, false);
      await measure(`${kind}, bytes of a storage that answers at once`, database, true);
      if (kind === 'postgres') await withBytes((root) => measure(`${kind}, bytes of fsStorage`, database, true, root));
    });
  }
}

/** A directory in which each file has its bytes, of which there are none. */
async function withBytes(work: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'bench-audit-'));
  try {
    for (let directory = 0; directory * 1000 < RECORDS * 5; directory++) {
      const path = join(root, String(directory));
      await mkdir(path);
      const names = Array.from({ length: 1000 }, (_, n) => join(path, String(directory * 1000 + n)));
      await Promise.all(names.map(async (name) => (await open(name, 'w')).close()));
    }
    await work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const [, , mode, database = '', bytes = '', root = ''] = process.argv;
if (mode === 'run') process.send?.(await run(JSON.parse(database) as DataSourceOptions, bytes === 'true', root));
