import { FilesError } from './files-error.js';

/** A range of bytes that is not one, or that begins behind the end of the file. */
export class RangeInvalidError extends FilesError {
  readonly code = 'FILES_RANGE_INVALID';

  constructor(
    readonly start: number,
    readonly end: number,
    readonly size?: number,
  ) {
    super(`Range ${start}-${end} is not within ${size === undefined ? 'any file' : `the ${size} bytes of the file`}.`);
  }
}
