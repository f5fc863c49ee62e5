/** Turns pushed items into items that are taken one by one, in their order. A failure comes before what still waits. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #failure: { error: Error } | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  put(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The first failure counts. */
  fail(error: Error): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The next item, as soon as there is one; `undefined` after the last. */
  async take(): Promise<T | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#items.length > 0) return this.#items.shift();
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
