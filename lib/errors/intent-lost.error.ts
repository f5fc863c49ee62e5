import { FilesError } from './files-error.js';

/** The sweeper took the bytes for abandoned before their row was written: it took longer than the grace period. */
export class IntentLostError extends FilesError {
  readonly code = 'FILES_INTENT_LOST';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
  ) {
    super(
      `The bytes at "${location}" of storage "${storage}" were swept before their file was saved. Nothing was saved; send the ` +
        'request again, or make the option "sweeper.grace" longer than the longest upload.',
    );
  }
}
