import { FilesError } from './files-error.js';

/** A storage was named that is not configured. */
export class UnknownStorageError extends FilesError {
  readonly code = 'FILES_UNKNOWN_STORAGE';

  constructor(
    /** The name that was given. */
    readonly storage: string,
    /** The names of all storages. */
    readonly known: readonly string[],
  ) {
    super(`Storage "${storage}" is not configured. Known storages: ${known.join(', ')}.`);
  }
}
