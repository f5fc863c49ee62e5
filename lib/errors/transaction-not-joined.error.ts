import { FilesError } from './files-error.js';

/** A decorated method was handed a transaction that its unit of work would not be in: two would commit apart. */
export class TransactionNotJoinedError extends FilesError {
  readonly code = 'FILES_TRANSACTION_NOT_JOINED';

  constructor(place: string) {
    super(
      `${place} was called with an entity manager whose open transaction it cannot see, so its unit of work would be another one. ` +
        'Call it inside of TaskQueue.run(() => …, { manager }), or open the transaction with dataSource.transaction().',
    );
  }
}
