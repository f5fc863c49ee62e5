/** An operation on a file. `update` changes its name or its bytes, `transfer` gives it to another owner. */
export type FileOperation = 'read' | 'stream' | 'update' | 'delete' | 'transfer' | 'pin';

/**
 * An operation that an `OwnerPolicy` is asked about. `receive`: may the owner get files? `scan`: may its files be
 * listed? The others are the application's own rights on the owner, which its files follow.
 */
export type OwnerOperation = 'read' | 'update' | 'delete' | 'receive' | 'scan';

const FOLLOWS: Readonly<Record<FileOperation, OwnerOperation>> = {
  read: 'read',
  stream: 'read',
  update: 'update',
  delete: 'delete',
  transfer: 'update',
  pin: 'update',
};

/** The right on the owner that an operation on its file follows. */
export function ownerOperationFor(operation: FileOperation): OwnerOperation {
  return FOLLOWS[operation];
}
