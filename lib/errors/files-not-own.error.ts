import { problemText, UNAVAILABLE } from './file-problem.js';
import { FilesError } from './files-error.js';

/** A row names files that are not its own, so nothing was saved. */
export class FilesNotOwnError extends FilesError {
  readonly code = 'FILES_NOT_OWN';

  constructor(
    /** The entity class. */
    readonly entityName: string,
    /** The row's owner id. */
    readonly ownerId: string,
    /** The field that names them. */
    readonly field: string,
    /** What the field names: ids of files that are another owner's or do not exist, or values that are no id. */
    readonly fileIds: readonly string[],
    options?: ErrorOptions,
  ) {
    const [first] = fileIds;
    const files =
      fileIds.length === 1 ? `file ${first}, which is` : `${fileIds.length} files, like ${first}, which are`;
    super(
      `${entityName} ${ownerId}: ${field} names ${files} not its own, so nothing was saved. Put @TransferOwnership() on the field of the ` +
        'DTO and @WithTaskQueue() on the handler, or transfer the file in the same transaction.',
      options,
    );
  }

  /** As validation says it: clients do not learn whether a foreign file exists, nor how the application is to be mended. */
  override get publicMessage(): string {
    return `${this.field}: ${problemText(UNAVAILABLE)}`;
  }
}
