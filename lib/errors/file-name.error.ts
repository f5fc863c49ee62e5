import { FilesError } from './files-error.js';

/** A name that no file may have. */
export class FileNameError extends FilesError {
  readonly code = 'FILES_FILE_NAME';

  constructor(
    /** What was given. */
    readonly value: unknown,
    reason: string,
  ) {
    super(`File name ${JSON.stringify(value)?.slice(0, 300)} is refused: ${reason}.`);
  }
}
