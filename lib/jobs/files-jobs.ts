import { Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { isWithoutWork } from '../files/boot-without-work.js';
import { isUnmarked } from '../files/marks/storage-marks.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { JobIntake } from '../task-queue/job-intake.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { FailedJob, RunningEngine } from './job-engine.js';
import { JobHandlers } from './job-handlers.js';
import { JobRuns } from './job-runs.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import type { CheckedJobsOptions } from './jobs-options.js';
import type { UnitJobs } from './unit-jobs.js';
import { wholeNumber } from './whole-number.js';

/** The jobs of the application: `TaskQueue.enqueue()` queues them, and this service runs them from boot to shutdown. */
@Injectable()
export class FilesJobs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #starting: Promise<RunningEngine> | undefined;
  #running: RunningEngine | undefined;

  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    private readonly handlers: JobHandlers,
    private readonly runs: JobRuns,
    @Inject(JobIntake) private readonly unitJobs: UnitJobs,
    @Inject(JOBS_OPTIONS) private readonly options: CheckedJobsOptions,
  ) {}

  /** The jobs that were given up, the last one first. */
  failed({ limit = 100 }: { limit?: number } = {}): Promise<FailedJob[]> {
    return this.#engine.failed(wholeNumber('limit', limit));
  }

  /** Lets jobs that were given up run again, from their first attempt on; gives how many there were. */
  retry(...ids: string[]): Promise<number> {
    return this.#engine.retry(ids);
  }

  /** Throws unless the server of the engine answers: one cheap request. `false` if the engine cannot be asked. */
  async ping(): Promise<boolean> {
    const engine = this.#engine;
    await detach(() => engine.ping?.());
    return engine.ping !== undefined;
  }

  /** @internal */
  async onApplicationBootstrap(): Promise<void> {
    // The engine may need tables that are missing, or change them.
    if (isUnmarked()) return;
    const { engine, work, shutdownTimeout } = this.options;
    const starting = Promise.resolve(
      engine.start({
        transactor: this.transactor,
        known: this.handlers.all,
        handlers: work && !isWithoutWork() ? this.handlers.all : new Map(),
        shutdownTimeout,
        run: (job, signal, done) => this.runs.run(job, signal, done),
        gaveUp: (job, why) => this.runs.gaveUp(job, why),
      }),
    );
    this.#starting = starting;
    const running = await starting;
    this.#running = running;
    this.unitJobs.committed = (jobs) => running.committed?.(jobs);
  }

  /** @internal */
  async beforeApplicationShutdown(): Promise<void> {
    // Where the boot fails meanwhile, the engine may be starting still.
    const running = await this.#starting?.catch(() => undefined);
    await running?.stop();
  }

  get #engine(): RunningEngine {
    if (!this.#running) throw new Error('The application has not booted, so that its engine of jobs does not run');
    return this.#running;
  }
}
