import { FilesError } from './files-error.js';

/** The content has more bytes than its storage accepts. */
export class FileTooLargeError extends FilesError {
  readonly code = 'FILES_FILE_TOO_LARGE';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Bytes. */
    readonly maxSize: number,
  ) {
    super(`The file is larger than the ${maxSize} bytes that storage "${storage}" accepts.`);
  }
}
