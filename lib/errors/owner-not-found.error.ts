import { FilesError } from './files-error.js';

/** Files are to be transferred to an owner that is not there. */
export class OwnerNotFoundError extends FilesError {
  readonly code = 'FILES_OWNER_NOT_FOUND';

  constructor(
    readonly ownerType: string,
    readonly ownerId: string,
  ) {
    super(`There is no ${ownerType} ${JSON.stringify(ownerId)}, so it can own no files: save it before the transfer.`);
  }
}
