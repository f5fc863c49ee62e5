import { FilesError } from './files-error.js';

/** A policy answered for a list with something that is no list of ids. Nothing was opened. */
export class PolicyAnswerError extends FilesError {
  readonly code = 'FILES_POLICY_ANSWER';

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
