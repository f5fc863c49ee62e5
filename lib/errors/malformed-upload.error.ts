import { FilesError } from './files-error.js';

/** The body of an upload is not a form with one file. */
export class MalformedUploadError extends FilesError {
  readonly code = 'FILES_MALFORMED_UPLOAD';

  constructor(reason: string, options?: ErrorOptions) {
    super(`The upload is malformed: ${reason}.`, options);
  }
}
