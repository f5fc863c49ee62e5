import { Logger } from '@nestjs/common';
import {
  ShuttingDownError,
  CommitOutcomeUnknownError,
  UnitAbortedError,
  UnitTimeoutError,
} from '../../errors/units.errors.js';
import { endsWithin, LONGEST_TIMER } from '../ends-within.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';

// Units whose connection was taken need only the time to find out the outcome of their COMMIT, and to run their
// effects.
const GRACE = 6_000;

const logger = new Logger('UnitOfWork');

/** The calls with an open unit of work on a data source. A shutdown drains them. */
export class OpenUnits {
  readonly #deadlines = new Set<UnitDeadline>();
  readonly #stops = new Set<() => void>();
  #count = 0;
  #isIdle = (): void => undefined;
  #drain: Promise<void> | undefined;
  #waited: number | undefined;

  /**
   * Counts a call as running until `leave()`. Throws `ShuttingDownError` during a shutdown, unless the call is part of
   * a running call.
   */
  enter(isInner: boolean): void {
    if (this.#drain && !(isInner && this.#count > 0)) throw new ShuttingDownError();
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#isIdle();
  }

  /** Counts a call in an open transaction of the application as running. It is never refused. */
  wait(call: Promise<unknown>): void {
    this.#count++;
    const leave = (): void => this.leave();
    call.then(leave, leave);
  }

  /**
   * Counts work after a commit as running. `stop` is called when a shutdown waits no longer: then the work has to end
   * soon.
   */
  follow(work: Promise<unknown>, stop: () => void): void {
    this.#stops.add(stop);
    this.wait(work.finally(() => this.#stops.delete(stop)));
    if (this.#waited !== undefined) stop();
  }

  /** Lets the unit be ended from here. */
  add(deadline: UnitDeadline): void {
    this.#deadlines.add(deadline);
    if (this.#waited !== undefined) deadline.shutDown(this.#waited);
  }

  delete(deadline: UnitDeadline): void {
    this.#deadlines.delete(deadline);
  }

  /**
   * Refuses new calls, and waits for the running ones. After `timeout` milliseconds they are rolled back. Never throws.
   */
  drain(timeout: number): Promise<void> {
    return (this.#drain ??= this.#end(timeout));
  }

  /** Lets calls in again. */
  reopen(): void {
    this.#drain = undefined;
    this.#waited = undefined;
  }

  async #end(timeout: number): Promise<void> {
    if (await this.#idleWithin(timeout)) return;
    logger.warn(
      `The shutdown ends what is still open after ${timeout} ms: it rolls back ${this.#deadlines.size} unit(s) of work, and stops ` +
        `${this.#stops.size} piece(s) of work after a commit`,
    );
    this.#waited = timeout;
    for (const deadline of this.#deadlines) deadline.shutDown(timeout);
    for (const stop of this.#stops) stop();
    if (!(await this.#idleWithin(GRACE))) logger.warn(`The shutdown leaves ${this.#count} call(s) that do not end`);
  }

  async #idleWithin(timeout: number): Promise<boolean> {
    if (this.#count === 0) return true;
    const idle = new Promise<void>((resolve) => (this.#isIdle = resolve));
    return endsWithin(idle, timeout);
  }
}

/** Ends a unit from outside: at its deadline, which also takes its connection, or when its caller gives up. */
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
      Math.min(timeout, LONGEST_TIMER),
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

  /**
   * As `before()`, for a COMMIT. From here on the caller cannot abort the unit, and after the deadline the outcome is
   * unknown.
   */
  beforeCommitted(commit: () => Promise<void>): Promise<void> {
    this.#letGo();
    return this.before(commit).catch((error: unknown) => {
      const isLate = error instanceof UnitTimeoutError || error instanceof ShuttingDownError;
      throw isLate ? new CommitOutcomeUnknownError(error) : error;
    });
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
