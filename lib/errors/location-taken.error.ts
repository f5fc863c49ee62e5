import { FilesError } from './files-error.js';

/** Something is at the location already; bytes are never overwritten. */
export class LocationTakenError extends FilesError {
  readonly code = 'FILES_LOCATION_TAKEN';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
    options?: ErrorOptions,
  ) {
    super(
      `Location "${location}" of storage "${storage}" is taken. Choose another one: bytes are never overwritten.`,
      options,
    );
  }
}
