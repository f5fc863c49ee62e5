import { FilesError } from './files-error.js';

/** One request names one file for several owners; a file has at most one. */
export class FileOwnerConflictError extends FilesError {
  readonly code = 'FILES_OWNER_CONFLICT';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** Each as its type and id. */
    readonly owners: readonly string[],
  ) {
    super(`File ${fileId} is named for several owners: ${owners.join(', ')}. A file has one owner: name it once.`);
  }
}
