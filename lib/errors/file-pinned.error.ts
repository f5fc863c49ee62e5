import { FilesError } from './files-error.js';

/** The operation is refused because the file is pinned. */
export class FilePinnedError extends FilesError {
  readonly code = 'FILES_FILE_PINNED';

  constructor(
    /** The file. */
    readonly fileId: string,
    operation: string,
  ) {
    super(`File ${fileId} is pinned: ${operation} needs \`force\`, or \`unpin\` before it.`);
  }
}
