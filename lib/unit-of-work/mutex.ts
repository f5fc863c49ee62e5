import type { QueryRunner } from 'typeorm';
import { WorkUnawaitedError, UnitAbortedError } from '../errors/units.errors.js';
import { ambientNode, isInTurn, type Turn, within } from './scopes/ambient.js';

/** Lets in one at a time, or as many as `size`: first come, first served. */
export class Mutex {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(size = 1) {
    this.#free = size;
  }

  /** Enters if there is room, and tells whether it did. Call `leave()` afterwards. */
  enter(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /**
   * Calls `turn` when the caller has entered, after all callers who wait now. The returned function ends the waiting.
   */
  wait(turn: () => void): () => void {
    this.#waiting.add(turn);
    return () => void this.#waiting.delete(turn);
  }

  /** Lets in the caller that has waited longest. */
  leave(): void {
    // This runs for each statement, and usually no caller waits.
    const [next] = this.#waiting.size > 0 ? this.#waiting : [];
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  /** Runs `work` when there is room. */
  async run<T>(work: () => T | Promise<T>): Promise<T> {
    if (!this.enter()) await new Promise<void>((resolve) => this.wait(resolve));
    try {
      return await work();
    } finally {
      this.leave();
    }
  }
}

/** Lets the statements of a transaction through one at a time, first come, first served. */
export class Turnstile {
  readonly #mutex = new Mutex();

  /** @param transaction the transaction of the statements */
  constructor(private readonly transaction: object) {}

  /** Whether the flow is in the turn of one of the statements. */
  get isMine(): boolean {
    return isInTurn(this.transaction);
  }

  /** Runs `run` in a turn. Work of a subscriber during its statement belongs to that statement's turn. */
  exclusive<T>(run: () => Promise<T>, end: () => void = () => undefined): Promise<T> {
    if (this.isMine) return runThen(run, end);
    if (this.#mutex.enter()) return this.#take(run, end);
    return new Promise<void>((resolve) => this.#mutex.wait(resolve)).then(() => this.#take(run, end));
  }

  #take<T>(run: () => Promise<T>, end: () => void): Promise<T> {
    const turn: Turn = { kind: 'turn', enclosing: ambientNode(), transaction: this.transaction, over: false };
    return runThen(
      () => within(turn, run),
      () => {
        turn.over = true;
        this.#mutex.leave();
        end();
      },
    );
  }
}

// Not async: each promise between the caller and the driver is tracked by AsyncLocalStorage on Node 20.
function runThen<T>(run: () => Promise<T>, end: () => void): Promise<T> {
  let work: Promise<T>;
  try {
    work = run();
  } catch (error) {
    end();
    return Promise.reject(error as Error);
  }
  return work.then(
    (value) => {
      end();
      return value;
    },
    (error: unknown) => {
      end();
      throw error;
    },
  );
}

const TOO_LATE = 'the transaction that it was to join ended before; await every call inside of it';

/** The work at one level of an application's own transaction runs one after the other, because savepoints must nest. */
export class Line {
  #units = 0;
  readonly #mutex = new Mutex();
  #finished = false;

  enter<T>(run: () => Promise<T>): Promise<T> {
    return this.#mutex.run(run);
  }

  /**
   * Runs a unit of work when it is its turn and the transaction is still open; if the line has ended before, its
   * failure is not reported a second time.
   */
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

/**
 * The same outcome. A failure that comes when it is over goes to `tell`, instead of becoming an unhandled rejection,
 * which would end the process, because its caller may be gone.
 */
export function quietOnceOver<T>(work: Promise<T>, isOver: () => boolean, tell: (error: unknown) => void): Promise<T> {
  const promise = work.catch((error: unknown) => {
    if (isOver()) promise.catch(tell);
    throw error;
  });
  return promise;
}
