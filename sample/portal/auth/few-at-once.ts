import { HttpException, HttpStatus } from '@nestjs/common';

/** Runs work, a few pieces at a time. What waits is limited as well: one too many is told 429 at once. */
export class FewAtOnce {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly waiting: number,
  ) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.atOnce) this.#running++;
    else await this.#turn();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.waiting) {
      throw new HttpException('Too many people log in just now. Try again in a moment.', HttpStatus.TOO_MANY_REQUESTS);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
