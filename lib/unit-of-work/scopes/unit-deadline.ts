import {
  CommitOutcomeUnknownError,
  ShuttingDownError,
  UnitAbortedError,
  UnitTimeoutError,
} from '../../errors/units.errors.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';

// A timer for longer would fire at once: https://nodejs.org/docs/latest-v20.x/api/timers.html#settimeoutcallback-delay-args
const LONGEST = 2 ** 31 - 1;

/** What ends a unit from outside: its deadline, which also takes its connection, and a caller that gives up. */
export class UnitDeadline {
  #ended: Error | undefined;
  #fail: ((error: Error) => void) | undefined;
  #isHeld = true;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly transaction: UnitTransaction,
    readonly timeout: number,
    private readonly signal?: AbortSignal,
  ) {
    this.#timer = setTimeout(
      () => {
        this.#end(new UnitTimeoutError(timeout));
        void transaction.giveUp();
      },
      Math.min(timeout, LONGEST),
    );
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The caller gives up: from the COMMIT on, that changes nothing. */
  abandon(reason: unknown): void {
    if (this.#isHeld) this.#end(new UnitAbortedError('its caller gave up before it was done', reason));
  }

  /** The application is shutting down, and has waited for so many milliseconds: as if the deadline had come. */
  shutDown(waited: number): void {
    this.#end(new ShuttingDownError(waited));
    void this.transaction.giveUp();
  }

  /** The outcome of the work, or the deadline's error if that comes first. For one work at a time. */
  before<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      if (this.#ended) reject(this.#ended);
      else Promise.resolve(work()).then(resolve, reject);
    });
  }

  /** The same outcome of a COMMIT: no caller can call it off any more, and past the deadline nobody knows. */
  async beforeCommitted(commit: () => Promise<void>): Promise<void> {
    this.#letGo();
    try {
      await this.before(commit);
    } catch (error) {
      const isLate = error instanceof UnitTimeoutError || error instanceof ShuttingDownError;
      throw isLate ? new CommitOutcomeUnknownError(error) : error;
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#letGo();
  }

  readonly #onAbort = (): void => this.abandon(this.signal?.reason);

  #letGo(): void {
    this.#isHeld = false;
    this.signal?.removeEventListener('abort', this.#onAbort);
  }

  #end(error: Error): void {
    this.transaction.abort(error);
    this.#ended ??= error;
    this.#fail?.(this.#ended);
  }
}
