import { ambientNode, isInTurn, type Turn, within } from './ambient.js';
import type { UnitTransaction } from './unit-transaction.js';

/** Lets the statements of a transaction through one at a time, first come, first served. */
export class Turnstile {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly transaction: UnitTransaction) {}

  /** Whether the flow is in the turn of one of the statements. */
  get isMine(): boolean {
    return isInTurn(this.transaction);
  }

  /** Runs `run` in a turn of its own; what a subscriber does while its statement has the connection is a part of that statement's turn. */
  async exclusive<T>(run: () => Promise<T>, end?: () => void): Promise<T> {
    let turn: Turn | undefined;
    try {
      if (this.isMine) return await run();
      const wait = this.#enter();
      if (wait) await wait;
      turn = { kind: 'turn', enclosing: ambientNode(), transaction: this.transaction, over: false };
      return await within(turn, run);
    } finally {
      if (turn) {
        turn.over = true;
        this.#leave();
      }
      end?.();
    }
  }

  /** Nothing where it is free, else what to wait for. */
  #enter(): Promise<void> | undefined {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    return undefined;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken = false;
  }
}
