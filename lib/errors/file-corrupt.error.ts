import { FilesError } from './files-error.js';

/** The bytes in the storage are not those whose hash the file remembers. */
export class FileCorruptError extends FilesError {
  readonly code = 'FILES_FILE_CORRUPT';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** The storage's name. */
    readonly storage: string,
  ) {
    super(
      `The bytes of file ${fileId} in storage "${storage}" do not have the size and hash that it had when it was stored.`,
    );
  }
}
