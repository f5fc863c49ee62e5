import { Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { FailedJob } from './job-engine.js';
import { JobHandlers } from './job-handlers.js';
import { JobRuns } from './job-runs.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import type { CheckedJobsOptions } from './jobs-options.js';
import { wholeNumber } from './whole-number.js';

/** The jobs of the application: `TaskQueue.enqueue()` queues them, and this service runs them from boot to shutdown. */
@Injectable()
export class FilesJobs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    private readonly handlers: JobHandlers,
    private readonly runs: JobRuns,
    @Inject(JOBS_OPTIONS) private readonly options: CheckedJobsOptions,
  ) {}

  /** The jobs that were given up, the last one first. */
  failed({ limit = 100 }: { limit?: number } = {}): Promise<FailedJob[]> {
    return this.options.engine.failed(wholeNumber('limit', limit));
  }

  /** Lets jobs that were given up run again, from their first attempt on; gives how many there were. */
  retry(...ids: string[]): Promise<number> {
    return this.options.engine.retry(ids);
  }

  /** Throws unless the server of the engine answers: one cheap request. `false` if the engine cannot be asked. */
  async ping(): Promise<boolean> {
    const { engine } = this.options;
    await detach(() => engine.ping?.());
    return engine.ping !== undefined;
  }

  /** @internal */
  async onApplicationBootstrap(): Promise<void> {
    const { engine, work, shutdownTimeout } = this.options;
    await engine.start({
      transactor: this.transactor,
      known: this.handlers.all,
      handlers: work ? this.handlers.all : new Map(),
      shutdownTimeout,
      run: (job, signal, done) => this.runs.run(job, signal, done),
      gaveUp: (job, why) => this.runs.gaveUp(job, why),
    });
  }

  /** @internal */
  async beforeApplicationShutdown(): Promise<void> {
    await this.options.engine.stop();
  }
}
