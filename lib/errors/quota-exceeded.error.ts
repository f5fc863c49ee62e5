import { FilesError } from './files-error.js';

/** An owner has no room for more: bytes, or files. */
export class QuotaExceededError extends FilesError {
  readonly code = 'FILES_QUOTA_EXCEEDED';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id; undefined where the file is too large for each owner of the type. */
    readonly ownerId: string | undefined,
    /** What there is too much of. */
    readonly limited: 'bytes' | 'count',
    /** How much there may be. */
    readonly limit: number,
    /** What the owner would have. */
    wanted: number,
  ) {
    const things = limited === 'bytes' ? 'bytes' : 'files';
    super(
      ownerId === undefined
        ? `Each ${ownerType} may have ${limit} ${things}, and would have ${wanted}. Send a smaller file, or raise its quota.`
        : `${ownerType} ${ownerId} may have ${limit} ${things}, and would have ${wanted}. Delete files of it, or raise its quota.`,
    );
  }
}
