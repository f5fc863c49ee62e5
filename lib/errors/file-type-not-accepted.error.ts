import { FilesError } from './files-error.js';

/** The bytes are of a type that their storage does not accept, whatever the client claims. */
export class FileTypeNotAcceptedError extends FilesError {
  readonly code = 'FILES_FILE_TYPE_NOT_ACCEPTED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** The content type that was found. */
    readonly contentType: string,
    /** The storage's patterns. */
    readonly acceptedTypes: readonly string[],
  ) {
    super(`The file is ${contentType}. Storage "${storage}" accepts ${acceptedTypes.join(', ') || 'no type at all'}.`);
  }
}
