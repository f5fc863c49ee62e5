/** Lets in one at a time, or as many as `size`: first come, first served. */
export class Mutex {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(size = 1) {
    this.#free = size;
  }

  /** Enters where there is room; tells whether it did. Whoever enters leaves by `leave()`. */
  enter(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Calls `turn` when the caller has entered, which is after all who wait now. The function that is returned ends the waiting. */
  wait(turn: () => void): () => void {
    this.#waiting.add(turn);
    return () => void this.#waiting.delete(turn);
  }

  /** Lets in the caller that has waited longest. */
  leave(): void {
    // Most often nobody waits, and this is once for each statement.
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
