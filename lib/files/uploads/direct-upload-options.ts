import { OptionInvalidError } from '../../errors/setup.errors.js';

/** How long uploads last that clients send to the storage themselves. Times are in milliseconds. */
export interface DirectUploadOptions {
  /** From the begin of an upload until it is given up, unless it is completed. @default 86_400_000, a day */
  expireAfter?: number;
  /** How long a signed request can be sent: at most a week, and never longer than the upload lasts. @default 3_600_000, an hour */
  urlsExpireAfter?: number;
}

/** The application's `directUploads` option, read by `readDirectUploadOptions`. */
export const DIRECT_UPLOAD_OPTIONS = Symbol('DIRECT_UPLOAD_OPTIONS');

export type CheckedDirectUploadOptions = Required<DirectUploadOptions>;

const SECOND = 1000;
const WEEK = 604_800_000;

/** Fills in the defaults; throws `OptionInvalidError` for what makes no sense. */
export function readDirectUploadOptions(options: DirectUploadOptions = {}): CheckedDirectUploadOptions {
  const checked = { expireAfter: 86_400_000, urlsExpireAfter: 3_600_000, ...options };
  assertTime('expireAfter', checked.expireAfter, Number.MAX_SAFE_INTEGER);
  // S3 signs for no longer.
  assertTime('urlsExpireAfter', checked.urlsExpireAfter, WEEK);
  return checked;
}

function assertTime(option: keyof DirectUploadOptions, value: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= SECOND && value <= most) return;
  const upTo = most === WEEK ? `, and at most ${WEEK}, a week` : '';
  const why = `it is ${String(value)}, and must be a whole number of milliseconds, at least ${SECOND}${upTo}`;
  throw new OptionInvalidError(`directUploads.${option}`, why);
}
