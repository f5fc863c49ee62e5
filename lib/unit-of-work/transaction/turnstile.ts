import { ambientNode, isInTurn, type Turn, within } from '../scopes/ambient.js';
import { Mutex } from '../mutex.js';

/** Lets the statements of a transaction through one at a time, first come, first served. */
export class Turnstile {
  readonly #mutex = new Mutex();

  /** @param transaction whose statements they are */
  constructor(private readonly transaction: object) {}

  /** Whether the flow is in the turn of one of the statements. */
  get isMine(): boolean {
    return isInTurn(this.transaction);
  }

  /** Runs `run` in a turn. What a subscriber does while its statement has the connection belongs to that statement's turn. */
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
