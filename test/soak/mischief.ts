import type { FaultyStorage } from 'nestjs-files/testing';
import { Random } from './random.js';

export const MISCHIEF_KINDS = ['handler', 'task', 'storage'] as const;

/** What goes wrong inside of the application, now and then, while it is on. */
export class Mischief {
  readonly counts: Record<(typeof MISCHIEF_KINDS)[number], number> = { handler: 0, task: 0, storage: 0 };
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly storage: FaultyStorage,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  /** Lets a call of the storage fail a few times a second, and handlers and tasks one time in thirty. */
  begin(): void {
    this.#timer = setInterval(() => {
      this.#forgetCalls();
      this.counts.storage++;
      this.storage.failAt(this.#random.between(1, 20), this.#random.pick(['before', 'after']));
    }, 200);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.storage.heal();
    this.#forgetCalls();
  }

  /** Throws now and then. */
  strike(where: 'handler' | 'task'): void {
    if (!this.#timer || !this.#random.once(30)) return;
    this.counts[where]++;
    throw new Error(`a fault of a ${where}`);
  }

  // It keeps them all for tests to read, which would look as if the application kept them.
  #forgetCalls(): void {
    (this.storage.calls as string[]).length = 0;
  }
}
