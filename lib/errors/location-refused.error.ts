import { FilesError } from './files-error.js';

/** What was to be registered is at a place that the storage refuses, such as an address in a private network. Its cause says why. */
export class LocationRefusedError extends FilesError {
  readonly code = 'FILES_LOCATION_REFUSED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    cause: Error,
  ) {
    super(`Storage "${storage}" takes no file from there. ${cause.message}`, { cause });
  }
}
