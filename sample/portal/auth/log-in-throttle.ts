import { HttpException, HttpStatus, Injectable } from '@nestjs/common';

const ATTEMPTS = 10;
const WINDOW = 15 * 60 * 1000;
const REMEMBERED = 10_000;

interface Attempts {
  count: number;
  readonly until: number;
}

/**
 * Limits how often the password of a name may be guessed from one address. In the memory of one process: a portal of
 * several, or behind a proxy, would count in a store that they share.
 */
@Injectable()
export class LogInThrottle {
  readonly #attempts = new Map<string, Attempts>();

  /** Counts an attempt before it is made, so that many at once are as many. Throws 429 for one too many. */
  begin(name: string, from: string): void {
    const now = Date.now();
    const key = JSON.stringify([from, name]);
    const known = this.#attempts.get(key);
    const attempts = known && known.until > now ? known : { count: 0, until: now + WINDOW };
    if (attempts.count >= ATTEMPTS) {
      throw new HttpException('Too many attempts for this name. Try again later.', HttpStatus.TOO_MANY_REQUESTS);
    }
    attempts.count++;
    this.#attempts.set(key, attempts);
    this.#forget(now);
  }

  /** The password was right: earlier attempts do not count any more. */
  succeed(name: string, from: string): void {
    this.#attempts.delete(JSON.stringify([from, name]));
  }

  #forget(now: number): void {
    for (const [key, { until }] of this.#attempts) {
      if (until > now && this.#attempts.size <= REMEMBERED) return;
      this.#attempts.delete(key);
    }
  }
}
