import { FilesError } from './files-error.js';

/** An upload's form is larger than any honest one. */
export class UploadLimitError extends FilesError {
  readonly code = 'FILES_UPLOAD_LIMIT';

  constructor(
    /** What is limited. */
    readonly limit: string,
    /** The limit. */
    readonly max: number,
  ) {
    super(`The upload is over a limit: ${limit} may be at most ${max}.`);
  }
}
