import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DataSource } from 'typeorm';
import type { DataSourceOptions, QueryRunner } from 'typeorm';
import type { Steps } from './steps.js';

/** Makes every statement a step, before the first data source is made. */
export function watchStatements(options: DataSourceOptions, steps: Steps): void {
  const { driver } = new DataSource(options) as unknown as {
    driver: { createQueryRunner(mode: 'master'): QueryRunner };
  };
  const runners = Object.getPrototypeOf(driver.createQueryRunner('master')) as QueryRunner;
  const query = runners.query;
  runners.query = function (this: QueryRunner, ...args: Parameters<QueryRunner['query']>) {
    return steps.through(args[0], () => query.apply(this, args));
  } as QueryRunner['query'];
}

const CALLS = ['copyFile', 'link', 'mkdir', 'open', 'rename', 'unlink'] as const;

/** Makes every change of names in the file system a step: what a call of a storage comes to, and where it can be left halfway. */
export function watchFileSystem(steps: Steps): void {
  for (const name of CALLS) {
    const call = promises[name] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(promises, { [name]: (...args: unknown[]) => steps.through(name, () => call(...args)) });
  }
  // For those who have imported the functions by name.
  syncBuiltinESMExports();
}
