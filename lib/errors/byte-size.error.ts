import { FilesError } from './files-error.js';

/** A size that is neither a number of bytes nor a text like `10MiB`. */
export class ByteSizeError extends FilesError {
  readonly code = 'FILES_BYTE_SIZE';

  constructor(
    /** What was given. */
    readonly value: unknown,
  ) {
    super(`${JSON.stringify(value)} is not a size. Give bytes as a whole number, or a text like "10MiB" or "1.5GB".`);
  }
}
