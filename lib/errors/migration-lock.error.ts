import { FilesError } from './files-error.js';

/** The database did not give the lock that lets one process migrate at a time. Nothing was changed. */
export class MigrationLockError extends FilesError {
  readonly code = 'FILES_MIGRATION_LOCK';

  constructor(
    /** The lock's name. */
    readonly lock: string,
  ) {
    super(
      `The database refused the lock "${lock}", which lets one process migrate at a time. ` +
        'See which connection holds it, end that one, and migrate again.',
    );
  }
}
