import type { JobHandler } from './job-handlers.js';

const LONGEST = 3_600_000;
// So that what failed together is not tried again together.
const SPREAD = 0.2;

/** How many milliseconds after this attempt the next one is due. */
export function backoff({ backoff: first }: JobHandler, attempt: number): number {
  const full = Math.min(first * 2 ** (attempt - 1), Math.max(LONGEST, first));
  return Math.round(full * (1 - Math.random() * SPREAD));
}
