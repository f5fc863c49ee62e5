import { FilesError } from './files-error.js';

/** Where a file is named. */
export interface FileUse {
  /** The owner's type. */
  readonly ownerType: string;
  /** The owner's id. */
  readonly ownerId: string;
  /** The declared field. */
  readonly field: string;
}

/** A file was deleted or transferred, but a record still names it, so nothing was done. */
export class FilesInUseError extends FilesError {
  readonly code = 'FILES_IN_USE';

  constructor(
    /** The file; of several that were to be deleted together, one of these. */
    readonly fileIds: readonly string[],
    /** The record; undefined where all that is known is that a foreign key refers to the file. */
    readonly use?: FileUse,
    options?: ErrorOptions,
  ) {
    const [first, ...others] = fileIds;
    const files = others.length === 0 ? `file ${first}` : `one of ${fileIds.length} files, like ${first}`;
    const record = use
      ? `${use.ownerType} ${use.ownerId} still names ${files} in ${use.field}`
      : `A record still names ${files}`;
    super(`${record}. Change the record first, or in the same unit of work.`, options);
  }
}
