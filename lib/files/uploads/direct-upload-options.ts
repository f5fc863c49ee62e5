import { OptionInvalidError } from '../../errors/setup.errors.js';

/** The lifetime of uploads that clients send to the storage themselves. Times are in milliseconds. */
export interface DirectUploadOptions {
  /**
   * How long after its beginning an upload that was not completed is given up: at most a century. @default 86_400_000,
   * a day
   */
  expireAfter?: number;
  /**
   * How long a signed request can be sent: at most a week, and never longer than the upload lasts. @default 3_600_000,
   * an hour
   */
  urlsExpireAfter?: number;
}

/** The application's `directUploads` option, read by `readDirectUploadOptions`. */
export const DIRECT_UPLOAD_OPTIONS = Symbol('DIRECT_UPLOAD_OPTIONS');

export type CheckedDirectUploadOptions = Required<DirectUploadOptions>;

const SECOND = 1000;
const WEEK = 604_800_000;
const CENTURY = 3_155_760_000_000;

/** Fills in the defaults; throws `OptionInvalidError` for an invalid value. */
export function readDirectUploadOptions(options: DirectUploadOptions = {}): CheckedDirectUploadOptions {
  const checked = { expireAfter: 86_400_000, urlsExpireAfter: 3_600_000, ...options };
  // A Date cannot be much later.
  assertTime('expireAfter', checked.expireAfter, { most: CENTURY, called: 'a century' });
  // S3 signs for no longer.
  assertTime('urlsExpireAfter', checked.urlsExpireAfter, { most: WEEK, called: 'a week' });
  return checked;
}

function assertTime(
  option: keyof DirectUploadOptions,
  value: number,
  { most, called }: { most: number; called: string },
): void {
  if (Number.isSafeInteger(value) && value >= SECOND && value <= most) return;
  const range = `at least ${SECOND}, and at most ${most}, ${called}`;
  const why = `it is ${String(value)}, and must be a whole number of milliseconds, ${range}`;
  throw new OptionInvalidError(`directUploads.${option}`, why);
}
