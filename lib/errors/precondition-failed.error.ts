import { FilesError } from './files-error.js';

/** A request was for a state of the file's content that is not its state: `If-Match` and its kin. */
export class PreconditionFailedError extends FilesError {
  readonly code = 'FILES_PRECONDITION_FAILED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`The content of file ${fileId} is not what the conditions of the request ask for. Read it again.`);
  }
}
