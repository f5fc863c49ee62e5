import { JobOptionInvalidError } from '../errors/jobs.errors.js';

/** The value of an option, which has to be a whole number above zero; throws `JobOptionInvalidError` otherwise. */
export function wholeNumber(option: string, value: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && value > 0 && value <= most) return value;
  throw new JobOptionInvalidError(option, value, `a whole number from 1 to ${most}`);
}
