import { FilesOptionError } from '../errors/files-option.error.js';

/** The option `validation`: what holds for fields that name files, unless they say otherwise. */
export interface FilesValidationOptions {
  /** How many files a list of ids may name; longer lists are refused before the database is asked. `Infinity` lifts the limit. @default 1000 */
  maxFiles?: number;
}

/** The options with their defaults. */
export type CheckedValidationOptions = Required<FilesValidationOptions>;

export const VALIDATION_OPTIONS = Symbol('VALIDATION_OPTIONS');

/** Fills in the defaults; throws `FilesOptionError`. */
export function readValidationOptions({ maxFiles = 1000 }: FilesValidationOptions = {}): CheckedValidationOptions {
  if (!isMaxFiles(maxFiles)) {
    const why = `it must be a whole number above 0, or Infinity, and is ${String(maxFiles)}`;
    throw new FilesOptionError('validation.maxFiles', why);
  }
  return { maxFiles };
}

/** Whether it limits how many files a list may name. */
export function isMaxFiles(maxFiles: unknown): maxFiles is number {
  return maxFiles === Infinity || (Number.isSafeInteger(maxFiles) && (maxFiles as number) > 0);
}
