import type { Writable } from 'node:stream';

const ON_TERMINAL = 100;
const ELSEWHERE = 10_000;
const BAR = 24;

/** A stream that may be a terminal. */
export type Sink = Writable & {
  /** Whether somebody looks at it, so that a bar can be drawn. */
  readonly isTTY?: boolean;
};

/** How far a work is: a bar on a terminal, a line now and then elsewhere. */
export class Progress {
  #done = 0;
  #isShown = false;
  #isEnded = false;
  #shownAt: number;
  readonly #start: number;

  constructor(
    private readonly sink: Sink,
    private readonly verb: string,
    private readonly total: number | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#start = this.#shownAt = this.now();
  }

  /** Counts an item. */
  tick(count = 1): void {
    this.#done += count;
    const now = this.now();
    if (now - this.#shownAt < (this.sink.isTTY ? ON_TERMINAL : ELSEWHERE)) return;
    this.#shownAt = now;
    this.#isShown = true;
    this.sink.write(this.sink.isTTY ? `\r\u001B[K${this.#line()}` : `${this.#line()}\n`);
  }

  /** As `tick`, up to this number. */
  reach(done: number): void {
    this.tick(done - this.#done);
  }

  /** Takes the bar away, so that a line can be written in its place. */
  clear(): void {
    if (this.sink.isTTY && this.#isShown) this.sink.write('\r\u001B[K');
    this.#isShown = false;
  }

  /** Ends, with a line that says what was done. A second call is a no-op. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.clear();
    const seconds = (this.now() - this.#start) / 1000;
    this.sink.write(`${this.verb} ${this.#done} in ${seconds.toFixed(1)} s\n`);
  }

  #line(): string {
    const seconds = (this.now() - this.#start) / 1000;
    const rate = this.#done / Math.max(seconds, 0.001);
    const speed = `${rate.toFixed(rate < 10 ? 1 : 0)}/s`;
    if (!this.total) return `${this.verb} ${this.#done}  ${speed}`;
    const part = Math.min(this.#done / this.total, 1);
    const left = Math.ceil(Math.max(this.total - this.#done, 0) / Math.max(rate, 0.001));
    const filled = Math.round(part * BAR);
    const bar = this.sink.isTTY ? `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ` : '';
    return `${bar}${this.verb} ${this.#done} of ${this.total} (${Math.floor(part * 100)} %)  ${speed}  ${left} s left`;
  }
}
