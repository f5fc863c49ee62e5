import { FilesError } from './files-error.js';

/** A range of bytes that is not one, or that begins behind the end of the file. */
export class RangeInvalidError extends FilesError {
  readonly code = 'FILES_RANGE_INVALID';

  constructor(
    /** The first byte. */
    readonly start: number,
    /** The last byte. */
    readonly end: number,
    /** The file's size in bytes. */
    readonly size?: number,
  ) {
    super(`Range ${start}-${end} is not within ${size === undefined ? 'any file' : `the ${size} bytes of the file`}.`);
  }
}
