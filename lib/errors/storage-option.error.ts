import { FilesError } from './files-error.js';

/** A storage was configured with a value that makes no sense. */
export class StorageOptionError extends FilesError {
  readonly code = 'FILES_STORAGE_OPTION';

  constructor(
    /** The option's name. */
    readonly option: string,
    /** What was given. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`Storage option "${option}" is ${JSON.stringify(value)}. Expected: ${expected}.`);
  }
}
