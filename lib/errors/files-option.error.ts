import { FilesError } from './files-error.js';

/** An option of `FilesModule` cannot be honoured. Thrown at boot. */
export class FilesOptionError extends FilesError {
  readonly code = 'FILES_OPTION';

  constructor(
    /** The option's name. */
    readonly option: string,
    reason: string,
  ) {
    super(`FilesModule option "${option}": ${reason}.`);
  }
}
