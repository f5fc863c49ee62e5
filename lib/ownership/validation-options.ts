import { FILE_PROBLEM_CODES } from '../errors/file-problem.js';
import type { FileProblemCode, FileProblemMessages } from '../errors/file-problem.js';
import { OptionInvalidError } from '../errors/setup.errors.js';

/** The option `validation`: what holds for fields that name files, unless they say otherwise. */
export interface FilesValidationOptions {
  /**
   * How many files a list of ids may name; longer lists are refused before the database is asked. `Infinity` lifts the
   * limit. @default 1000
   */
  maxFiles?: number;
  /**
   * Whether a DTO field may give a file to an existing record only if the actor may `update` the record. The owner's
   * policy decides about the record as it was before the handler changed it. Works for owner types with `@FileField()`;
   * a field's own `authorize` takes precedence. @default false
   */
  authorize?: boolean;
  /**
   * Messages that replace the library's, by code: `{ FILE_UNAVAILABLE: 'Choose one of your own files' }`. A `message`
   * of a decorator or a rule comes first. @default those of the library
   */
  messages?: FileProblemMessages;
}

/** The options with their defaults. */
export type CheckedValidationOptions = Required<FilesValidationOptions>;

export const VALIDATION_OPTIONS = Symbol('VALIDATION_OPTIONS');

/** Fills in the defaults; throws `OptionInvalidError`. */
export function readValidationOptions({
  maxFiles = 1000,
  authorize = false,
  messages = {},
}: FilesValidationOptions = {}): CheckedValidationOptions {
  if (!isMaxFiles(maxFiles)) {
    const why = `it must be a whole number above 0, or Infinity, and is ${String(maxFiles)}`;
    throw new OptionInvalidError('validation.maxFiles', why);
  }
  for (const [code, text] of Object.entries(messages)) {
    const refuse = (why: string) => new OptionInvalidError('validation.messages', why);
    if (!FILE_PROBLEM_CODES.includes(code as FileProblemCode))
      throw refuse(`there is no code "${code}". The codes are ${FILE_PROBLEM_CODES.join(', ')}`);
    if (typeof text !== 'string' && typeof text !== 'function')
      throw refuse(`the message for ${code} must be a text or a function, and is ${typeof text}`);
  }
  return { maxFiles, authorize, messages };
}

/** Whether the value is valid for `maxFiles`. */
export function isMaxFiles(maxFiles: unknown): maxFiles is number {
  return maxFiles === Infinity || (Number.isSafeInteger(maxFiles) && (maxFiles as number) > 0);
}
