import { FilesError } from './files-error.js';

/** The database cannot guard the rows of a class. Thrown by migrations. */
export class DatabaseGuardError extends FilesError {
  readonly code = 'FILES_DATABASE_GUARD';

  constructor(
    /** The entity class or the table. */
    readonly place: string,
    reason: string,
  ) {
    super(`The database cannot guard ${place}: ${reason}`);
  }
}
