import { FilesError } from './files-error.js';

/** There is no such link: it is not of this application, not for this actor, or its file is gone. */
export class LinkNotFoundError extends FilesError {
  readonly code = 'FILES_LINK_NOT_FOUND';

  constructor() {
    super('There is no such link.');
  }
}
