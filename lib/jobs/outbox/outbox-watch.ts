import { Logger } from '@nestjs/common';
import { stackOf } from '../../errors/stack-of.js';
import type { Outbox } from './outbox.js';

/** What a watch is told. Times are in milliseconds. */
export interface OutboxWatchOptions {
  /** From one look to the next. */
  readonly poll: number;
  /** For how long the key of a job that is done is kept. */
  readonly keepKeys: number;
  /** Which jobs could be taken now. */
  names(): readonly string[];
  /** Called when any of them is due. */
  found(): void;
}

const TIDYING_INTERVAL = 60_000;

/** Looks for due jobs now and then: those that other processes have queued, that were delayed, and that a process left when it died. */
export class OutboxWatch {
  readonly #logger = new Logger('FilesJobs');
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isStopped = false;
  #tidiedAt = Number.NEGATIVE_INFINITY;

  /** @param handled the names of all jobs that this process has handlers for */
  constructor(
    private readonly outbox: Outbox,
    private readonly handled: readonly string[],
    private readonly options: OutboxWatchOptions,
  ) {}

  /** Looks for the first time. Its timer keeps a process alive that does nothing else. */
  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      const names = this.options.names();
      if (names.length > 0 && (await this.outbox.isDue(names)) && !this.#isStopped) this.options.found();
      await this.#tidy();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing)
        this.#logger.error('The search for due jobs failed; the engine tries again', stackOf(error));
      this.#isFailing = true;
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#look(), this.options.poll);
  }

  async #tidy(): Promise<void> {
    const now = this.outbox.now();
    if (this.#isStopped || now - this.#tidiedAt < TIDYING_INTERVAL) return;
    this.#tidiedAt = now;
    await this.outbox.removeDone(new Date(now - this.options.keepKeys));
    for (const { name, count } of await this.outbox.unhandled(this.handled)) {
      if (this.#told.has(name)) continue;
      this.#told.add(name);
      this.#logger.error(
        `${count} job(s) "${name}" wait, and no provider of this process has a method with @FileJob('${name}'). ` +
          'Add it, or make sure that another process runs them.',
      );
    }
  }
}
