import { FilesError } from './files-error.js';

/** A `Range` header asks for bytes that the file does not have. */
export class RangeNotSatisfiableError extends FilesError {
  readonly code = 'FILES_RANGE_NOT_SATISFIABLE';

  constructor(
    /** The header. */
    readonly range: string,
    /** The file's size in bytes. */
    readonly size: number,
  ) {
    super(`Range "${range}" is not within the ${size} bytes of the file.`);
  }
}
