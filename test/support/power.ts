import { Readable } from 'node:stream';
import type { DataSource, QueryRunner } from 'typeorm';
import { dataSourceOf } from '../../lib/unit-of-work/typeorm/data-source.js';
import type { Storage } from '../../lib/storage/storage.js';

/** What a process runs on: after it was cut, nothing that the process does has any effect. */
export class Power {
  #left = Number.POSITIVE_INFINITY;
  #used = 0;

  /** How often there was something that a cut could come before or after. */
  get used(): number {
    return this.#used;
  }

  cutAfter(steps: number): void {
    [this.#left, this.#used] = [steps, 0];
  }

  async through<T>(work: () => Promise<T>): Promise<T> {
    this.#step();
    const result = await work();
    try {
      this.#step();
    } catch (error) {
      if (result instanceof Readable) result.destroy();
      throw error;
    }
    return result;
  }

  #step(): void {
    this.#used++;
    if (this.#left-- <= 0) throw new Error('the power was cut');
  }
}

/** Makes every statement need power. Call it when the data source is leased; call what it gives when done. */
export function powerDatabase(dataSource: DataSource, power: Power): () => void {
  const driver = dataSource.driver as unknown as { createQueryRunner(mode: 'master'): QueryRunner };
  const prototype = Object.getPrototypeOf(driver.createQueryRunner('master')) as QueryRunner;
  const query = prototype.query;
  prototype.query = function (this: QueryRunner, ...args: Parameters<QueryRunner['query']>) {
    const run = () => query.apply(this, args);
    return dataSourceOf(this) === dataSource ? power.through(run) : run();
  } as QueryRunner['query'];
  return () => void (prototype.query = query);
}

/** Makes every call of the storage need power. */
export function powerStorage(storage: Storage, power: Power): Storage {
  for (const name of [
    'write',
    'link',
    'finishWrites',
    'read',
    'remove',
    'removeAll',
    'copy',
    'stat',
    'direct',
  ] as const) {
    const call = storage[name].bind(storage) as unknown as (...args: unknown[]) => Promise<unknown>;
    Object.assign(storage, { [name]: (...args: unknown[]) => power.through(() => call(...args)) });
  }
  return storage;
}
