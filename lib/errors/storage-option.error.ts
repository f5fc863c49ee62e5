import { FilesError } from './files-error.js';

/** A storage was configured with a value that makes no sense. */
export class StorageOptionError extends FilesError {
  readonly code = 'FILES_STORAGE_OPTION';

  constructor(
    readonly option: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(`Storage option "${option}" is ${JSON.stringify(value)}. Expected: ${expected}.`);
  }
}
