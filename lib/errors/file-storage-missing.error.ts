import { FilesError } from './files-error.js';

/** A file's row names a storage that is not configured any more: its bytes cannot be reached. */
export class FileStorageMissingError extends FilesError {
  readonly code = 'FILES_FILE_STORAGE_MISSING';

  constructor(
    /** The name in the file's row. */
    readonly storage: string,
    /** The names of all storages. */
    known: readonly string[],
  ) {
    super(
      `Files are in storage "${storage}", which is not configured; configured are: ${known.join(', ')}. ` +
        'Add it to the option `storages`, or move its files before it is taken out.',
    );
  }
}
