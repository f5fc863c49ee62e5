/** What happened to a file's ownership. */
export type TransferAction = 'create' | 'transfer' | 'pin' | 'unpin' | 'release' | 'delete' | 'expire';
