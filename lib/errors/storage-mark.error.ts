import { FilesError } from './files-error.js';

/** A storage is not the place that the database knows by its name: it is not mounted, or another database's. Nothing was changed. */
export class StorageMarkError extends FilesError {
  readonly code = 'FILES_STORAGE_MARK';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where it is: for `fsStorage`, its root. */
    readonly place: string,
    /** What is wrong, and what to do about it. */
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Storage "${storage}" at ${place}: ${reason}`, options);
  }
}
