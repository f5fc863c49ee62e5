import { OptionInvalidError } from '../errors/setup.errors.js';
import { LONGEST_TIMER } from '../unit-of-work/ends-within.js';

/** A part that the library depends on. */
export type FilesHealthPart = 'storages' | 'scanners' | 'jobs' | 'intents';

const PARTS: readonly FilesHealthPart[] = ['storages', 'scanners', 'jobs', 'intents'];

/** What a check looks at. Times are in milliseconds. */
export interface FilesHealthOptions {
  /** The parts to check. @default all of them */
  parts?: readonly FilesHealthPart[];
  /** The time in which each of them has to answer. @default 3000 */
  timeout?: number;
  /** The age of the oldest intent that is still healthy. @default the sweeper's `grace` and two of its intervals */
  maxIntentAge?: number;
}

/** Fills in the defaults; throws `OptionInvalidError`. */
export function readHealthOptions(options: FilesHealthOptions, patience: number): Required<FilesHealthOptions> {
  const { parts = PARTS, timeout = 3_000, maxIntentAge = patience } = options;
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined)
    throw new OptionInvalidError('parts', `there is no part "${unknown}". The parts are ${PARTS.join(', ')}`);
  for (const [name, value, most] of [
    ['timeout', timeout, LONGEST_TIMER],
    ['maxIntentAge', maxIntentAge, Number.MAX_SAFE_INTEGER],
  ] as const)
    if (!Number.isSafeInteger(value) || value < 1 || value > most)
      throw new OptionInvalidError(name, `it must be milliseconds above zero, and is ${String(value)}`);
  return { parts, timeout, maxIntentAge };
}
