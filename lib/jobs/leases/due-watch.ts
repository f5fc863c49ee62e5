import { Logger } from '@nestjs/common';
import { stackOf } from '../../errors/stack-of.js';
import type { JobStore } from './job-store.js';

/** What a watch is told. */
export interface DueWatchOptions {
  /** Milliseconds from one look to the next. */
  readonly poll: number;
  /** The names of all jobs that this process has handlers for. */
  readonly handled: readonly string[];
  /** Which jobs could be taken now. */
  names(): readonly string[];
  /** Called when any of them is due. */
  found(): void;
}

const TIDYING_INTERVAL = 60_000;

/**
 * Looks for due jobs now and then: those that other processes have queued, that were delayed, and that a process left
 * when it died.
 */
export class DueWatch {
  readonly #logger = new Logger('FilesJobs');
  #timer: NodeJS.Timeout | undefined;
  /** The look that is under way. */
  #looking: Promise<void> | undefined;
  #isAskedAgain = false;
  #isFailing = false;
  #isStopped = false;
  #tidiedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly store: Pick<JobStore, 'isDue' | 'tidy'>,
    private readonly options: DueWatchOptions,
  ) {}

  /** Looks for the first time. Its timer keeps a process alive that does nothing else. */
  start(): void {
    this.#begin();
  }

  /** Looks now, and again if it is looking already. */
  wake(): void {
    this.#isAskedAgain = true;
    if (!this.#looking) this.#begin();
  }

  /** Resolves when it looks no longer. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#isAskedAgain = false;
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#isStopped) return;
      if (this.#isAskedAgain) this.#begin();
      else this.#timer = setTimeout(() => this.#begin(), this.options.poll);
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isStopped) return;
    try {
      const names = this.options.names();
      if (names.length > 0 && (await this.store.isDue(names)) && !this.#isStopped) this.options.found();
      await this.#tidy();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing && !this.#isStopped)
        this.#logger.error('The search for due jobs failed; the engine tries again', stackOf(error));
      this.#isFailing = true;
    }
  }

  async #tidy(): Promise<void> {
    if (this.#isStopped || performance.now() - this.#tidiedAt < TIDYING_INTERVAL) return;
    this.#tidiedAt = performance.now();
    await this.store.tidy?.(this.options.handled);
  }
}
