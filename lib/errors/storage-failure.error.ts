import { FilesError } from './files-error.js';

/** A storage failed in a way that is not the caller's doing; `cause` is what its adapter threw. */
export class StorageFailureError extends FilesError {
  readonly code = 'FILES_STORAGE_FAILURE';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** What was asked for. */
    readonly operation: string,
    /** Where in the storage. */
    readonly location: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Storage "${storage}" failed to ${operation} "${location}": ${reason}.`, { cause });
  }
}
