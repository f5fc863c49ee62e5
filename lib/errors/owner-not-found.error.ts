import { FilesError } from './files-error.js';

/** Files are to be transferred to an owner that is not there. */
export class OwnerNotFoundError extends FilesError {
  readonly code = 'FILES_OWNER_NOT_FOUND';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id. */
    readonly ownerId: string,
  ) {
    super(`There is no ${ownerType} ${JSON.stringify(ownerId)}, so it can own no files: save it before the transfer.`);
  }
}
