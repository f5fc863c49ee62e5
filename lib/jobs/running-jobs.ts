import { Logger } from '@nestjs/common';
import { ShuttingDownError } from '../errors/units.errors.js';
import { endsWithin } from '../unit-of-work/ends-within.js';

/** How many milliseconds what was aborted has to roll back, and to say so in the database. */
export const GRACE = 5_000;

const logger = new Logger('FilesJobs');

/** The runs of jobs that are under way in this process, and the end of them all. */
export class RunningJobs {
  readonly #runs = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  /** Is aborted when a shutdown waits no longer. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Counts the run as under way. It must not reject. */
  add(run: Promise<void>): void {
    this.#runs.add(run);
    void run.finally(() => this.#runs.delete(run));
  }

  /**
   * Waits for `taking`, in which the last runs begin, and for all runs. After `timeout` milliseconds runs are aborted,
   * and after `GRACE` more everything is left; without a run, after `GRACE`. Never rejects. Resolves with whether all
   * has ended.
   */
  async end(timeout: number, taking: Promise<unknown>): Promise<boolean> {
    const all = taking.then(() => Promise.all(this.#runs));
    const first = Math.min(timeout, GRACE);
    if (await endsWithin(all, first)) return true;
    if (this.#runs.size > 0 && (await endsWithin(all, timeout - first))) return true;
    const { size } = this.#runs;
    if (size > 0) logger.warn(`The shutdown aborts ${size} run(s) of jobs that had not ended after ${timeout} ms`);
    this.#stopping.abort(new ShuttingDownError(timeout));
    if (await endsWithin(all, size > 0 ? GRACE : GRACE - first)) return true;
    if (this.#runs.size > 0) logger.warn(`The shutdown leaves ${this.#runs.size} run(s) of jobs that do not end`);
    return false;
  }
}
