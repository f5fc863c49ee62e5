import { FilesError } from './files-error.js';

/** A transfer task was told to find its owner in a way that does not exist. */
export class TransferStrategyError extends FilesError {
  readonly code = 'FILES_TRANSFER_STRATEGY';

  constructor(
    /** What was given. */
    readonly strategy: unknown,
  ) {
    super(`Strategy ${JSON.stringify(strategy)} of OwnershipTransferTask is not known. Use 'path' or 'value'.`);
  }
}
