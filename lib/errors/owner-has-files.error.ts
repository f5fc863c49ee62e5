import { FilesError } from './files-error.js';

/** An owner is not removed, because it owns files and its class says `onDelete: 'restrict'`. */
export class OwnerHasFilesError extends FilesError {
  readonly code = 'FILES_OWNER_HAS_FILES';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id. */
    readonly ownerId: string,
    /** How many files it owns. */
    readonly count: number,
  ) {
    const files = count === 1 ? 'a file' : `${count} files`;
    super(`${ownerType} ${ownerId} owns ${files}, so it is not removed: transfer or delete what it owns before it.`);
  }
}
