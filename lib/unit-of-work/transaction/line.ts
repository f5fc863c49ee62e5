import type { QueryRunner } from 'typeorm';
import { quietOnceOver } from '../late-failures.js';
import { Mutex } from '../mutex.js';
import { WorkUnawaitedError, UnitAbortedError } from '../../errors/units.errors.js';

const TOO_LATE = 'the transaction that it was to join ended before; await every call inside of it';

/** What runs one after the other in one place of an application's own transaction, because savepoints must nest. */
export class Line {
  #units = 0;
  readonly #mutex = new Mutex();
  #finished = false;

  enter<T>(run: () => Promise<T>): Promise<T> {
    return this.#mutex.run(run);
  }

  /** Runs a unit of work when it is its turn and the transaction is still open; if the place is left before, its failure is not reported a second time. */
  enterUnit<T>(isOpen: () => boolean, run: () => Promise<T>): Promise<T> {
    this.#units++;
    const turn = this.enter(() => {
      // It must not begin a new transaction.
      if (this.#finished || !isOpen()) throw new UnitAbortedError(TOO_LATE);
      return run();
    }).finally(() => this.#units--);
    // finish() has thrown WorkUnawaitedError then.
    return quietOnceOver(
      turn,
      () => this.#finished,
      () => undefined,
    );
  }

  /** Leaves the place; throws WorkUnawaitedError while units that joined in it still run. */
  finish(): void {
    if (this.#units === 0) return;
    this.#finished = true;
    throw new WorkUnawaitedError(this.#units, 0);
  }
}

const lines = new WeakMap<QueryRunner, Line>();

/** The line of a whole transaction. */
export function lineOf(runner: QueryRunner): Line {
  const line = lines.get(runner) ?? new Line();
  lines.set(runner, line);
  return line;
}
