import { FilesError } from './files-error.js';

/** A file was to become a record's, but no row of the owner type names it, so nothing was saved. A fault of the application. */
export class FilesNotNamedError extends FilesError {
  readonly code = 'FILES_NOT_NAMED';

  constructor(
    /** The DTO and its field, or the task. */
    readonly place: string,
    /** The file. */
    readonly fileId: string,
    /** The owner type. */
    readonly ownerType: string,
  ) {
    super(
      `${place}: no ${ownerType} names file ${fileId} in a field with @FileField(), so nothing was saved. Save the field, and see that ` +
        'TypeORM writes it: a loaded relation beside the column takes precedence.',
    );
  }
}
