import { FilesError } from './files-error.js';

/** The bytes at the location are a file's already. */
export class LocationRegisteredError extends FilesError {
  readonly code = 'FILES_LOCATION_REGISTERED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
    options?: ErrorOptions,
  ) {
    super(`Location "${location}" of storage "${storage}" is registered already.`, options);
  }
}
