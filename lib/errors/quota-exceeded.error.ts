import { FilesError } from './files-error.js';

/** An owner has no room for more: bytes, or files. */
export class QuotaExceededError extends FilesError {
  readonly code = 'FILES_QUOTA_EXCEEDED';

  constructor(
    readonly ownerType: string,
    readonly ownerId: string,
    readonly limited: 'bytes' | 'count',
    readonly limit: number,
    /** What the owner would have. */
    wanted: number,
  ) {
    const things = limited === 'bytes' ? 'bytes' : 'files';
    super(
      `${ownerType} ${ownerId} may have ${limit} ${things}, and would have ${wanted}. Delete files of it, or raise its quota.`,
    );
  }
}
