import { FilesError } from './files-error.js';

/** The actor may not do this. */
export class AccessDeniedError extends FilesError {
  readonly code = 'FILES_ACCESS_DENIED';

  constructor(
    /** The operation that was refused. */
    readonly operation: string,
    /** The file or owner that it was about. */
    readonly subject: string,
  ) {
    super(`You may not ${operation} ${subject}.`);
  }
}

/** The actor is anonymous, and must sign in to do this. */
export class AuthenticationRequiredError extends FilesError {
  readonly code = 'FILES_AUTHENTICATION_REQUIRED';

  constructor(
    /** The operation that was refused. */
    readonly operation: string,
    /** The file or owner that it was about. */
    readonly subject: string,
  ) {
    super(`Sign in to ${operation} ${subject}.`);
  }
}

/** A policy answered for a list with something other than a list of ids. Access was refused. */
export class PolicyAnswerInvalidError extends FilesError {
  readonly code = 'FILES_POLICY_ANSWER_INVALID';

  constructor(
    /** The class of the policy. */
    readonly policy: string,
    found: string,
  ) {
    super(`${policy}.allowsMany() gave ${found}. It must return the ids of the allowed owners, as texts or numbers.`);
  }
}

/** The link was good, and its time is over. */
export class LinkExpiredError extends FilesError {
  readonly code = 'FILES_LINK_EXPIRED';

  constructor() {
    super('The link has expired. Ask for a new one.');
  }
}

/** The link does not exist: it is forged, for another actor, or its file was deleted. */
export class LinkNotFoundError extends FilesError {
  readonly code = 'FILES_LINK_NOT_FOUND';

  constructor() {
    super('There is no such link.');
  }
}

/** The link was good for one use, and that is over. */
export class LinkUsedError extends FilesError {
  readonly code = 'FILES_LINK_USED';

  constructor() {
    super('The link has been used. Ask for a new one.');
  }
}
