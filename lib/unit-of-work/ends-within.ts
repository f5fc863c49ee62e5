import { setTimeout as delay } from 'node:timers/promises';

/**
 * The longest time of a timer of Node.js, in milliseconds; a longer one ends at once.
 * https://nodejs.org/api/timers.html#settimeoutcallback-delay-args
 */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Whether the work ends within so many milliseconds. Rejects if the work fails before. */
export async function endsWithin(work: Promise<unknown>, timeout: number): Promise<boolean> {
  const waiting = new AbortController();
  const late = delay(timeout, false, { signal: waiting.signal });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    waiting.abort();
    late.catch(() => undefined);
  }
}
