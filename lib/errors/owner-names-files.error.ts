import { FilesError } from './files-error.js';

/** A file was to be given to an owner whose records name their files, past the record. Nothing was done. */
export class OwnerNamesFilesError extends FilesError {
  readonly code = 'FILES_OWNER_NAMES_FILES';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    options?: ErrorOptions,
  ) {
    super(
      `The files of every ${ownerType} are those that it names. Change the ${ownerType} itself, by the route that saves it.`,
      options,
    );
  }
}
