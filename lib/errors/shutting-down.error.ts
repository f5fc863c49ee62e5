import { FilesError } from './files-error.js';

/** The application is shutting down: a unit of work was not begun, or was rolled back because it was open for too long. */
export class ShuttingDownError extends FilesError {
  readonly code = 'FILES_SHUTTING_DOWN';

  /** @param waited how many milliseconds the shutdown waited for a unit that was open; none for one that was not begun */
  constructor(waited?: number) {
    super(
      waited === undefined
        ? 'The application is shutting down, and begins no unit of work any more.'
        : `The application is shutting down; a unit of work was still open after ${waited} ms and was rolled back. ` +
            'The option `shutdownTimeout` of FilesModule says how long to wait.',
    );
  }
}
