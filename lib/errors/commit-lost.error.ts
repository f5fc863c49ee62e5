import { FilesError } from './files-error.js';

/** The connection was lost before COMMIT took effect, and the database says that the work was rolled back. */
export class CommitLostError extends FilesError {
  readonly code = 'FILES_COMMIT_LOST';

  constructor(cause: unknown) {
    super('The connection was lost during COMMIT, and nothing was saved: the request may be sent again.', { cause });
  }
}
