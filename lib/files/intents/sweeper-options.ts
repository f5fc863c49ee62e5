import { OptionInvalidError } from '../../errors/setup.errors.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

/** How the sweeper works. Times are in milliseconds. */
export interface SweeperOptions {
  /** From the end of one sweep to the beginning of the next. @default 3_600_000, an hour */
  interval?: number;
  /**
   * How long bytes may be without a row: longer than any upload and any unit of work takes. @default 86_400_000, a day
   */
  grace?: number;
  /** How many intents are taken at once. @default 100 */
  batch?: number;
  /** How long they belong to this machine. Failed ones are not tried again before. @default 300_000, five minutes */
  lease?: number;
}

/** The application's `sweeper` option, read by `readSweeperOptions`. */
export const SWEEPER_OPTIONS = Symbol('SWEEPER_OPTIONS');

export interface CheckedSweeperOptions extends Required<SweeperOptions> {
  /** Whether it sweeps on a timer. */
  isTimed: boolean;
}

/** Fills in the defaults; throws `OptionInvalidError` for an invalid value. */
export function readSweeperOptions(options: SweeperOptions | false = {}): CheckedSweeperOptions {
  const checked = {
    interval: 3_600_000,
    grace: 86_400_000,
    batch: 100,
    lease: 300_000,
    ...options,
    isTimed: options !== false,
  };
  for (const option of ['interval', 'grace', 'batch', 'lease'] as const) {
    const value = checked[option];
    if (!Number.isSafeInteger(value) || value < 1 || (option === 'interval' && value > LONGEST_TIMER))
      throw new OptionInvalidError(
        `sweeper.${option}`,
        `it is ${String(value)}, and must be a whole number above zero`,
      );
  }
  return checked;
}
