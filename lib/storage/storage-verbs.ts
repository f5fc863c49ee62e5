import type { StorageAdapter } from './storage-adapter.js';

/** An operation of a storage: the name of a member of its adapter. */
export type StorageVerb =
  | 'write'
  | 'read'
  | 'remove'
  | 'stat'
  | 'copy'
  | 'move'
  | 'list'
  | 'publicUrl'
  | 'temporaryUrl'
  | 'directUploads'
  | 'resumableUploads';

// A record, so that none can be left out.
const VERBS: Record<StorageVerb & keyof StorageAdapter, true> = {
  write: true,
  read: true,
  remove: true,
  stat: true,
  copy: true,
  move: true,
  list: true,
  publicUrl: true,
  temporaryUrl: true,
  directUploads: true,
  resumableUploads: true,
};

/** All of them. */
export const STORAGE_VERBS = Object.keys(VERBS) as readonly StorageVerb[];
