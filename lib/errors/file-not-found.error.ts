import { FilesError } from './files-error.js';

/** There is no file with the id. */
export class FileNotFoundError extends FilesError {
  readonly code = 'FILES_FILE_NOT_FOUND';

  constructor(
    /** What was given as its id. */
    readonly fileId: unknown,
  ) {
    super(`There is no file with the id ${JSON.stringify(fileId)}.`);
  }
}
