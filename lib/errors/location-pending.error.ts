import { FilesError } from './files-error.js';

/** The bytes at the location are being written or removed by the library. */
export class LocationPendingError extends FilesError {
  readonly code = 'FILES_LOCATION_PENDING';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
  ) {
    super(
      `Location "${location}" of storage "${storage}" is being written or removed. Try again after the next sweep.`,
    );
  }
}
