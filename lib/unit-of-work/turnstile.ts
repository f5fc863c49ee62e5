/** Lets one through at a time, first come, first served. */
export class Turnstile {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /** Nothing where it is free, else what to wait for; from then on it is the caller's until `leave()`. */
  enter(): Promise<void> | undefined {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    return undefined;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken = false;
  }
}
