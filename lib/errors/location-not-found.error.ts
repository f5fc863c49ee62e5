import { FilesError } from './files-error.js';

/** No bytes are at the location. */
export class LocationNotFoundError extends FilesError {
  readonly code = 'FILES_LOCATION_NOT_FOUND';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
  ) {
    super(`Nothing is at location "${location}" of storage "${storage}".`);
  }
}
