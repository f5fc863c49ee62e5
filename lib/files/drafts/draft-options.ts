import { OptionInvalidError } from '../../errors/setup.errors.js';

/** What happens to uploads that are never attached. */
export interface DraftOptions {
  /**
   * How long an upload may stay with the user who uploaded it: milliseconds, or a text such as `12h`, `7d` or `2w`.
   * Longer than anybody takes to fill in a form.
   */
  expireAfter: number | string;
}

/** The application's `drafts` option, read by `readDraftOptions`. */
export const DRAFT_OPTIONS = Symbol('DRAFT_OPTIONS');

export interface CheckedDraftOptions {
  /** Milliseconds; undefined if drafts do not expire. */
  readonly expireAfter: number | undefined;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const TEN_YEARS = 315_360_000_000;

/** Throws `OptionInvalidError` for an invalid value. */
export function readDraftOptions(options: DraftOptions | undefined): CheckedDraftOptions {
  if (options === undefined) return { expireAfter: undefined };
  const expireAfter = millisecondsOf(options.expireAfter);
  if (Number.isSafeInteger(expireAfter) && expireAfter > 0 && expireAfter <= TEN_YEARS) return { expireAfter };
  throw new OptionInvalidError(
    'drafts.expireAfter',
    `it is ${JSON.stringify(options.expireAfter)}, and must be milliseconds, or a text such as '12h', '7d' or '2w', of at most ten years`,
  );
}

function millisecondsOf(time: unknown): number {
  if (typeof time !== 'string') return Number(time);
  const [, amount, unit = ''] = /^(\d+)([smhdw])$/.exec(time) ?? [];
  return Number(amount) * (UNITS[unit] ?? Number.NaN);
}
