import { FilesError } from './files-error.js';

/** A storage failed in a way that is not the caller's doing; `cause` is what its adapter threw. */
export class StorageFailureError extends FilesError {
  readonly code = 'FILES_STORAGE_FAILURE';

  constructor(
    readonly storage: string,
    readonly operation: string,
    readonly location: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Storage "${storage}" failed to ${operation} "${location}": ${reason}.`, { cause });
  }
}
