import { FilesError } from './files-error.js';

/** One storage object was configured under two names. */
export class StorageNameError extends FilesError {
  readonly code = 'FILES_STORAGE_NAME';

  constructor(
    /** The name that it has. */
    readonly first: string,
    /** The name that it was to get. */
    readonly second: string,
  ) {
    super(`One storage is configured as "${first}" and as "${second}". Create a separate storage for each name.`);
  }
}
