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
   * Waits for all runs; after `timeout` milliseconds they are aborted, and those that do not end then are left. Never
   * rejects.
   */
  async end(timeout: number): Promise<void> {
    if (await this.#endWithin(timeout)) return;
    logger.warn(`The shutdown aborts ${this.#runs.size} run(s) of jobs that had not ended after ${timeout} ms`);
    this.#stopping.abort(new ShuttingDownError(timeout));
    if (!(await this.#endWithin(GRACE)))
      logger.warn(`The shutdown leaves ${this.#runs.size} run(s) of jobs that do not end`);
  }

  async #endWithin(timeout: number): Promise<boolean> {
    return this.#runs.size === 0 || endsWithin(Promise.all(this.#runs), timeout);
  }
}
