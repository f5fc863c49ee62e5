/** Lets no more than so many works run at once, first come, first served. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(private readonly size: number) {
    this.#free = size;
  }

  /** Runs `work` when a slot is free. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // A slot that somebody waits for goes from hand to hand.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  /** Runs `work`, which does not reject, for each of the items. No more of them wait at once than there are slots. */
  async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const left = items.values();
    const lane = async (): Promise<void> => {
      for (const item of left) await this.run(() => work(item));
    };
    await Promise.all(Array.from({ length: Math.min(this.size, items.length) }, lane));
  }
}
