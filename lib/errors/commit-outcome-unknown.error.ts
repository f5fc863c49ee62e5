import { FilesError } from './files-error.js';

/** The connection was lost while COMMIT was under way: the work is either saved whole or not at all, and nobody can say which. */
export class CommitOutcomeUnknownError extends FilesError {
  readonly code = 'FILES_COMMIT_OUTCOME_UNKNOWN';

  constructor(cause: unknown) {
    super('The connection was lost during COMMIT: look at the record before you send the request again.', { cause });
  }
}
