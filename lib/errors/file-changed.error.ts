import { FilesError } from './files-error.js';

/** Somebody else gave away, pinned or deleted the files between the check and the transfer. Trying again tells what holds now. */
export class FileChangedError extends FilesError {
  readonly code = 'FILES_FILE_CHANGED';

  constructor(
    /** The files. */
    readonly fileIds: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      `Changed since it was checked: file ${fileIds.join(', ')}. Nothing was saved; send the request again.`,
      options,
    );
  }
}
