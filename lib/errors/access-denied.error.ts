import { FilesError } from './files-error.js';

/** The actor may not do this. */
export class AccessDeniedError extends FilesError {
  readonly code = 'FILES_ACCESS_DENIED';

  constructor(
    /** What was asked for. */
    readonly operation: string,
    /** What it was asked of. */
    readonly subject: string,
  ) {
    super(`You may not ${operation} ${subject}.`);
  }
}
