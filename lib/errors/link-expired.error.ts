import { FilesError } from './files-error.js';

/** The link was good, and its time is over. */
export class LinkExpiredError extends FilesError {
  readonly code = 'FILES_LINK_EXPIRED';

  constructor() {
    super('The link has expired. Ask for a new one.');
  }
}
