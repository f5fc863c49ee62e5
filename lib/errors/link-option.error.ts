import { FilesError } from './files-error.js';

/** A link was asked for that cannot be made. */
export class LinkOptionError extends FilesError {
  readonly code = 'FILES_LINK_OPTION';

  constructor(
    readonly option: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(`The link option "${option}" is ${JSON.stringify(value)}; it must be ${expected}.`);
  }
}
