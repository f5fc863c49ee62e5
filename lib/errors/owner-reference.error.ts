import { FilesError } from './files-error.js';

/** An owner that no file may have. */
export class OwnerReferenceError extends FilesError {
  readonly code = 'FILES_OWNER_REFERENCE';

  constructor(
    /** Which part of the owner. */
    readonly field: 'type' | 'id',
    /** What was given. */
    readonly value: unknown,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Owner ${field} ${JSON.stringify(value)?.slice(0, 300)} is refused: ${reason}.`, options);
  }
}
