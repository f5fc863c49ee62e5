import { FilesError } from './files-error.js';

/** New content must be of the type that the file has: who attached the file relies on it. */
export class FileTypeChangedError extends FilesError {
  readonly code = 'FILES_FILE_TYPE_CHANGED';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** The file's content type. */
    readonly expected: string,
    /** The content type that was found. */
    readonly contentType: string,
  ) {
    super(`File ${fileId} is ${expected}, the new content is ${contentType}. Create another file for it.`);
  }
}
