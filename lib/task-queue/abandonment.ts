type End = (reason: Error) => void;

/** Tells what a call has started that nobody waits for it any more. An AbortController for each call would cost more than all that is done with it. */
export class Abandonment {
  #reason: Error | undefined;
  readonly #ends: End[] = [];

  /** Calls `end` when nobody waits any more, at once if that is so already. */
  whenAbandoned(end: End): void {
    if (this.#reason) end(this.#reason);
    else this.#ends.push(end);
  }

  abandon(reason: Error): void {
    this.#reason = reason;
    for (const end of this.#ends.splice(0)) end(reason);
  }

  throwIfAbandoned(): void {
    if (this.#reason) throw this.#reason;
  }
}
