import { FilesError } from './files-error.js';

/** A location that no storage may have, or that leads out of its storage. */
export class LocationInvalidError extends FilesError {
  readonly code = 'FILES_LOCATION_INVALID';

  constructor(
    /** Where in the storage. */
    readonly location: string,
    reason: string,
  ) {
    super(`Location ${JSON.stringify(location.slice(0, 200))} is refused: ${reason}.`);
  }
}
