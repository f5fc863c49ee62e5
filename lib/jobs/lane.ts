import { AsyncResource } from 'node:async_hooks';
import type { JobHandler } from './job-handlers.js';

/** What a lane does. */
export interface LaneWork<Job> {
  /** Takes so many jobs at most. */
  take(handler: JobHandler, limit: number): Promise<readonly Job[]>;
  /** Runs one; never rejects. */
  run(handler: JobHandler, job: Job): Promise<void>;
  /** Hears that nothing could be taken. */
  failed(handler: JobHandler, error: unknown): void;
}

/** Runs the jobs of one name, as many at once as the handler says. Takes no more than it can begin. */
export class Lane<Job> {
  #running = 0;
  #isTaking = false;
  #isAskedAgain = false;
  #isClosed = false;
  #taking: Promise<void> = Promise.resolve();
  /** Jobs run in the context of the boot, and not of whoever queued one, or ran the one before. */
  readonly #boot = new AsyncResource('FilesJobs');

  constructor(
    readonly handler: JobHandler,
    private readonly work: LaneWork<Job>,
  ) {}

  /** Whether another job could begin. */
  get hasRoom(): boolean {
    return this.#running < this.handler.concurrency;
  }

  /** Looks for jobs, unless there is no room for any. */
  wake(): void {
    this.#isAskedAgain = true;
    if (this.#isTaking) return;
    this.#isTaking = true;
    this.#taking = this.#boot.runInAsyncScope(() => this.#takeAll());
  }

  /** Takes no job any more; resolves when what is being taken has begun. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#taking;
  }

  /** Never rejects. */
  async #takeAll(): Promise<void> {
    try {
      while (this.#isAskedAgain && this.hasRoom && !this.#isClosed) {
        this.#isAskedAgain = false;
        const jobs = await this.work.take(this.handler, this.handler.concurrency - this.#running);
        for (const job of jobs) this.#begin(job);
      }
    } catch (error) {
      this.work.failed(this.handler, error);
    } finally {
      this.#isTaking = false;
    }
  }

  #begin(job: Job): void {
    this.#running++;
    void this.work.run(this.handler, job).then(() => {
      this.#running--;
      this.wake();
    });
  }
}
