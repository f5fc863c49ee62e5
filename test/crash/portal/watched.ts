import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DataSource } from 'typeorm';
import type { DataSourceOptions, QueryRunner } from 'typeorm';
import { dataSourceOf } from '../../../lib/unit-of-work/typeorm/data-source.js';
import type { Steps } from './steps.js';

/** The steps of whose database or directory this is, if it is somebody's. */
type StepsOf = (place: string) => Steps | undefined;

/** Makes every statement a step, before the first data source is made. */
export function watchStatements(options: DataSourceOptions, stepsOf: StepsOf): void {
  const { driver } = new DataSource(options) as unknown as {
    driver: { createQueryRunner(mode: 'master'): QueryRunner };
  };
  const runners = Object.getPrototypeOf(driver.createQueryRunner('master')) as QueryRunner;
  const query = runners.query;
  runners.query = function (this: QueryRunner, ...args: Parameters<QueryRunner['query']>) {
    const run = () => query.apply(this, args);
    const steps = stepsOf(String(dataSourceOf(this).options.database));
    return steps ? steps.through(args[0], run) : run();
  } as QueryRunner['query'];
}

const CALLS = ['copyFile', 'link', 'mkdir', 'open', 'rename', 'unlink'] as const;

/**
 * Makes every change of names in the file system a step: what a call of a storage comes to, and where it can be left
 * halfway.
 */
export function watchFileSystem(stepsOf: StepsOf): void {
  for (const name of CALLS) {
    const call = promises[name] as (...args: unknown[]) => Promise<unknown>;
    const watched = (...args: unknown[]) => {
      const steps = stepsOf(String(args[0]));
      return steps ? steps.through(name, () => call(...args)) : call(...args);
    };
    Object.assign(promises, { [name]: watched });
  }
  // For those who have imported the functions by name.
  syncBuiltinESMExports();
}
