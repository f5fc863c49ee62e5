import { FilesError } from './files-error.js';

/** A pin protects an owner's file; this one has no owner. */
export class FileUnownedError extends FilesError {
  readonly code = 'FILES_FILE_UNOWNED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`File ${fileId} has no owner and cannot be pinned. Transfer it to one first.`);
  }
}
