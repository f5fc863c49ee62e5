import { FilesError } from './files-error.js';

/** A statement would write rows of a guarded class that nobody can check before the commit. A fault of the application. */
export class RecordWriteUnseenError extends FilesError {
  readonly code = 'FILES_WRITE_UNSEEN';

  constructor(
    /** The entity class. */
    readonly entityName: string,
    /** What was about to be written, and how. */
    readonly statement: string,
    remedy = 'Read the rows first, then save() or insert() them.',
  ) {
    super(
      `${statement} was refused: ${entityName} has @FileField() columns, and the files that its rows would name cannot be checked. ${remedy}`,
    );
  }
}
