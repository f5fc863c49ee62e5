import { FilesError } from './files-error.js';

/** An upload came with another content type than a form's. */
export class MultipartExpectedError extends FilesError {
  readonly code = 'FILES_MULTIPART_EXPECTED';

  constructor(
    /** The request's content type. */
    readonly contentType: string | undefined,
  ) {
    super(
      `The upload is ${JSON.stringify(contentType?.slice(0, 200) ?? 'of no type')}. Send it as multipart/form-data, the file in the field "file".`,
    );
  }
}
