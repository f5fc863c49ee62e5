import { FilesError } from './files-error.js';

/** A decorator stands where it cannot keep its promise. Thrown while classes are defined or at boot. */
export class InvalidDecorationError extends FilesError {
  readonly code = 'FILES_INVALID_DECORATION';

  constructor(decorator: string, place: string, why: string) {
    super(`${decorator} on ${place}: ${why}`);
  }
}
