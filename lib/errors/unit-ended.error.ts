import { FilesError } from './files-error.js';

/** Work that was left running used the transaction of a unit of work that is over. Nothing was executed. */
export class UnitEndedError extends FilesError {
  readonly code = 'FILES_UNIT_ENDED';

  constructor(what: string) {
    super(
      `${what} after its unit of work had ended. Await all work inside the decorated method, ` +
        'or start it with TaskQueue.detach() if it is meant to outlive the unit.',
    );
  }
}
