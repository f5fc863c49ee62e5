/** Ends what it watches when the time is over, and what it is to watch later at once. */
export class Deadline {
  #latest: { destroy(error: Error): unknown } | undefined;
  #error: Error | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    this.#timer = setTimeout(() => {
      this.#error = new Error(`it took longer than ${milliseconds} ms`);
      this.#latest?.destroy(this.#error);
    }, milliseconds).unref();
  }

  watch(stream: { destroy(error: Error): unknown }): void {
    this.#latest = stream;
    if (this.#error) stream.destroy(this.#error);
  }

  lift(): void {
    clearTimeout(this.#timer);
  }
}
