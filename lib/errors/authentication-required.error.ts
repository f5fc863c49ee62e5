import { FilesError } from './files-error.js';

/** Nobody is signed in, and strangers may not do this. */
export class AuthenticationRequiredError extends FilesError {
  readonly code = 'FILES_AUTHENTICATION_REQUIRED';

  constructor(
    /** What was asked for. */
    readonly operation: string,
    /** What it was asked of. */
    readonly subject: string,
  ) {
    super(`Sign in to ${operation} ${subject}.`);
  }
}
