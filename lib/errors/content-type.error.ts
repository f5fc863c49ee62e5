import { FilesError } from './files-error.js';

/** A content type that is not a main type, one slash and a subtype. */
export class ContentTypeError extends FilesError {
  readonly code = 'FILES_CONTENT_TYPE';

  constructor(
    /** What was given. */
    readonly contentType: string,
  ) {
    super(
      `${JSON.stringify(contentType.slice(0, 200))} is not a content type. It needs a main type and a subtype, like "text/csv".`,
    );
  }
}
