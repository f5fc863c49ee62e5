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

/** A policy answered for a list with something that is no list of ids. Nothing was opened. */
export class PolicyAnswerInvalidError extends FilesError {
  readonly code = 'FILES_POLICY_ANSWER_INVALID';

  constructor(
    /** The class of the policy. */
    readonly policy: string,
    found: string,
  ) {
    super(
      `${policy}.allowsMany() gave ${found}. It has to give the ids of the owners that are allowed: texts or numbers.`,
    );
  }
}

/** The link was good, and its time is over. */
export class LinkExpiredError extends FilesError {
  readonly code = 'FILES_LINK_EXPIRED';

  constructor() {
    super('The link has expired. Ask for a new one.');
  }
}

/** There is no such link: it is not of this application, not for this actor, or its file is gone. */
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
