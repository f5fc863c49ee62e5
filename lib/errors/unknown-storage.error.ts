import { FilesError } from './files-error.js';

/** A storage was named that is not configured. */
export class UnknownStorageError extends FilesError {
  readonly code = 'FILES_UNKNOWN_STORAGE';

  constructor(
    readonly storage: string,
    readonly known: readonly string[],
  ) {
    super(`Storage "${storage}" is not configured. Known storages: ${known.join(', ')}.`);
  }
}
