import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ShuttingDownError } from '../../errors/units.errors.js';
import type { UnitDeadline } from './unit-deadline.js';

// Units whose connection was taken need no longer than it takes to look what became of their COMMIT, and their effects.
const GRACE = 6_000;

const logger = new Logger('UnitOfWork');

/** The calls that have a unit of work open on a data source, and the end of them all. */
export class OpenUnits {
  readonly #deadlines = new Set<UnitDeadline>();
  readonly #stops = new Set<() => void>();
  #count = 0;
  #isIdle = (): void => undefined;
  #drain: Promise<void> | undefined;
  #waited: number | undefined;

  /** Counts a call as under way, until `leave()`; throws ShuttingDownError while they are being drained, unless it is a part of another one. */
  enter(isInner: boolean): void {
    if (this.#drain && !(isInner && this.#count > 0)) throw new ShuttingDownError();
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#isIdle();
  }

  /** Counts a call as under way that is in a transaction of the application, which is open: it is not refused. */
  wait(call: Promise<unknown>): void {
    this.#count++;
    const leave = (): void => this.leave();
    call.then(leave, leave);
  }

  /** Counts work that follows a commit as under way. `stop` is called when a shutdown waits no longer: then the work has to end soon. */
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

  /** Refuses new calls, and waits for those that are under way; after `timeout` milliseconds they are rolled back. Never throws. */
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
    const waiting = new AbortController();
    const idle = new Promise<boolean>((resolve) => (this.#isIdle = () => resolve(true)));
    const late = delay(timeout, false, { signal: waiting.signal });
    try {
      return await Promise.race([idle, late]);
    } finally {
      waiting.abort();
      late.catch(() => undefined);
    }
  }
}
