import { FilesError } from './files-error.js';

/** The client sent too little of an upload for too long; nothing of it is kept. */
export class UploadIdleError extends FilesError {
  readonly code = 'FILES_UPLOAD_IDLE';

  constructor(
    /** The option `http.uploadIdleTimeout`, in milliseconds. */
    readonly timeout: number,
    options?: ErrorOptions,
  ) {
    super(`The upload made no progress for ${timeout} ms. Send it again.`, options);
  }
}
