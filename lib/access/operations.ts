/** What may be done with a file. `update` is its name and its bytes, `transfer` is giving it to another owner. */
export type FileOperation = 'show' | 'stream' | 'update' | 'delete' | 'transfer' | 'pin';

/**
 * What an `OwnerPolicy` is asked. `file_transfer`: may files become this owner's? `file_scan`: may its files be listed?
 * The others are the application's own rights on the owner, which its files follow.
 */
export type OwnerOperation = 'show' | 'update' | 'delete' | 'file_transfer' | 'file_scan';

const FOLLOWS: Readonly<Record<FileOperation, OwnerOperation>> = {
  show: 'show',
  stream: 'show',
  update: 'update',
  delete: 'delete',
  transfer: 'update',
  pin: 'update',
};

/** The right on the owner that an operation on its file follows. */
export function ownerOperationFor(operation: FileOperation): OwnerOperation {
  return FOLLOWS[operation];
}
