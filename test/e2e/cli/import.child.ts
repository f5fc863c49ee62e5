import 'reflect-metadata';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Module } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { runFilesCli } from 'nestjs-files/cli';
import { DataSource } from 'typeorm';
import { importingModule } from './importing-module.js';

/** What the process does, given as JSON. */
export interface ImportTask {
  readonly database: object;
  readonly root: string;
  readonly argv: readonly string[];
  /** It dies before its step of this number: a statement, or a change of the directory. */
  readonly dieAt: number;
}

const { database, root, argv, dieAt } = JSON.parse(process.argv[2] ?? '') as ImportTask;
let steps = Number.NEGATIVE_INFINITY;
const step = (): void => {
  if (++steps === dieAt) process.kill(process.pid, 'SIGKILL');
};

const { open, link, unlink } = fs;
Object.assign(fs, {
  open: (...how: Parameters<typeof open>) => {
    if (how[1] === 'wx') step();
    return open(...how);
  },
  link: (...names: Parameters<typeof link>) => {
    step();
    return link(...names);
  },
  unlink: (...names: Parameters<typeof unlink>) => {
    step();
    return unlink(...names);
  },
});
syncBuiltinESMExports();

@Module({ imports: [importingModule(database, root)] })
class DyingModule implements OnApplicationBootstrap {
  constructor(private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    steps = 0;
    this.dataSource.logger.logQuery = step;
  }
}

process.exitCode = await runFilesCli(DyingModule, { argv: [...argv] });
