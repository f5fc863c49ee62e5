import { OptionInvalidError } from '../errors/setup.errors.js';

/** The option `scanning`: what holds for all storages with a scanner. Times are in milliseconds. */
export interface ScanningOptions {
  /**
   * Whether fields of DTOs and forms take files that are not scanned yet. Nobody can open these before they are clean. Infected files are never
   * taken. @default true
   */
  attachPending?: boolean;
  /** What becomes of infected bytes: they are kept for administrators, or removed. The row of the file stays. @default 'keep' */
  infected?: 'keep' | 'remove';
  /** How often a scan is tried before its file is `failed`. @default 12 */
  attempts?: number;
  /** From the first failure to the next attempt; it doubles with each, up to an hour. @default 1000 */
  backoff?: number;
  /** After which one attempt is ended. @default 600_000 */
  timeout?: number;
  /** How many files are scanned at once in this process. @default 2 */
  concurrency?: number;
}

export type CheckedScanningOptions = Required<ScanningOptions>;

export const SCANNING_OPTIONS = Symbol('SCANNING_OPTIONS');

const LONGEST_TIMER = 2 ** 31 - 1;

/** Fills in the defaults; throws `OptionInvalidError`. */
export function readScanningOptions(options: ScanningOptions = {}): CheckedScanningOptions {
  const { attachPending = true, infected = 'keep', attempts = 12, backoff = 1000 } = options;
  const { timeout = 600_000, concurrency = 2 } = options;
  const refuse = (option: string, value: unknown, expected: string): never => {
    throw new OptionInvalidError(`scanning.${option}`, `it must be ${expected}, and is ${JSON.stringify(value)}`);
  };
  if (typeof attachPending !== 'boolean') refuse('attachPending', attachPending, 'true or false');
  if (infected !== 'keep' && infected !== 'remove') refuse('infected', infected, "'keep' or 'remove'");
  for (const [name, value] of Object.entries({ attempts, backoff, timeout, concurrency }))
    if (!Number.isSafeInteger(value) || value < 1 || value > LONGEST_TIMER)
      refuse(name, value, 'a whole number above zero');
  return { attachPending, infected, attempts, backoff, timeout, concurrency };
}
