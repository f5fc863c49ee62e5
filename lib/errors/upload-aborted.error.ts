import { FilesError } from './files-error.js';

/** The client went away before its upload was complete. Nothing of it is kept. */
export class UploadAbortedError extends FilesError {
  readonly code = 'FILES_UPLOAD_ABORTED';

  constructor() {
    super('The client went away before the upload was complete.');
  }
}
