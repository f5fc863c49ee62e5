import { FilesError } from './files-error.js';

/** The link was good for one use, and that is over. */
export class LinkUsedError extends FilesError {
  readonly code = 'FILES_LINK_USED';

  constructor() {
    super('The link has been used. Ask for a new one.');
  }
}
