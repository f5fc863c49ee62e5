import { FilesError } from './files-error.js';

/** A file came for a field that was not validated, so that no record would own it. Nothing was saved. */
export class UploadNotTakenError extends FilesError {
  readonly code = 'FILES_UPLOAD_NOT_TAKEN';

  constructor(
    /** The field of the form. */
    readonly field: string,
  ) {
    super(
      `The file in "${field}" was not taken: no pipe validated the field with @UploadAs(). Either its conditions or groups leave it out ` +
        'for what was sent, or the application lacks app.useGlobalPipes(new ValidationPipe()).',
    );
  }
}
