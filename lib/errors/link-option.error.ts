import { FilesError } from './files-error.js';

/** A link was asked for that cannot be made. */
export class LinkOptionError extends FilesError {
  readonly code = 'FILES_LINK_OPTION';

  constructor(
    /** The option's name. */
    readonly option: string,
    /** What was given. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`The link option "${option}" is ${JSON.stringify(value)}; it must be ${expected}.`);
  }
}
