import { FilesError } from './files-error.js';

/** A statement would write rows of a guarded class that nobody can check before the commit. A fault of the application. */
export class RecordWriteUnseenError extends FilesError {
  readonly code = 'FILES_WRITE_UNSEEN';

  constructor(
    /** The entity class. */
    readonly entityName: string,
    /** What kind of statement. */
    readonly statement: string,
  ) {
    super(
      `${statement} into ${entityName} was refused: the class has @FileField() columns, and the files that the new rows name cannot be ` +
        'checked. Read the rows first, then save() or insert() them.',
    );
  }
}
