import { FilesError } from './files-error.js';

/** The unit's transaction cannot be committed any more: the database or the caller ended it. `cause` says why. */
export class UnitAbortedError extends FilesError {
  readonly code = 'FILES_UNIT_ABORTED';

  constructor(why: string, cause?: unknown) {
    super(`The unit of work was rolled back: ${why}.`, { cause });
  }
}
