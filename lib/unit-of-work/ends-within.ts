import { setTimeout as delay } from 'node:timers/promises';

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
