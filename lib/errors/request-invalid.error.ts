import { FilesError } from './files-error.js';

/** What a client sent to a route of the library is not of the form that the route takes. */
export class RequestInvalidError extends FilesError {
  readonly code = 'FILES_REQUEST_INVALID';

  constructor(
    /** Body, query or another part. */
    readonly part: string,
    /** One for each fault. */
    readonly reasons: readonly string[],
  ) {
    super(`The ${part} of the request is invalid: ${reasons.join('; ')}.`);
  }
}
