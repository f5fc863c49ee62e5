import { CommitOutcomeUnknownError } from '../errors/commit-outcome-unknown.error.js';
import { UnitAbortedError } from '../errors/unit-aborted.error.js';
import { UnitTimeoutError } from '../errors/unit-timeout.error.js';
import type { UnitTransaction } from './unit-transaction.js';

// A timer for longer would fire at once: https://nodejs.org/docs/latest-v20.x/api/timers.html#settimeoutcallback-delay-args
const LONGEST = 2 ** 31 - 1;

/** What ends a unit from outside: its deadline, which also takes its connection, and its caller's signal. */
export class UnitDeadline {
  readonly #reached: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  #onAbort: (() => void) | undefined;

  constructor(
    transaction: UnitTransaction,
    readonly timeout: number,
    private readonly signal?: AbortSignal,
  ) {
    let fail: (error: Error) => void = () => undefined;
    this.#reached = new Promise<never>((_, reject) => (fail = reject));
    this.#reached.catch(() => undefined);
    const end = (error: Error): void => {
      transaction.abort(error);
      fail(error);
    };
    this.#timer = setTimeout(
      () => {
        end(new UnitTimeoutError(timeout));
        void transaction.giveUp();
      },
      Math.min(timeout, LONGEST),
    );
    if (!signal) return;
    this.#onAbort = () => end(new UnitAbortedError('its caller gave up before it was done', signal.reason));
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The same outcome, or the deadline's error if that comes first. */
  before<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#reached, work]);
  }

  /** The same outcome of a COMMIT: no caller can call it off any more, and past the deadline nobody knows. */
  async beforeCommitted(commit: Promise<void>): Promise<void> {
    this.#ignoreSignal();
    try {
      await this.before(commit);
    } catch (error) {
      throw error instanceof UnitTimeoutError ? new CommitOutcomeUnknownError(error) : error;
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#ignoreSignal();
  }

  #ignoreSignal(): void {
    if (this.#onAbort) this.signal?.removeEventListener('abort', this.#onAbort);
  }
}
