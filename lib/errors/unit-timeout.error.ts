import { FilesError } from './files-error.js';

/** A unit of work was still open at its deadline; it was rolled back and its connection given up. */
export class UnitTimeoutError extends FilesError {
  readonly code = 'FILES_UNIT_TIMEOUT';

  constructor(milliseconds: number) {
    super(
      `The unit of work was still open after ${milliseconds} ms and was rolled back. ` +
        'Move slow work out of it (afterCommit), or raise its `timeout`.',
    );
  }
}
