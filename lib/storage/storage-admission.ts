import type { Storage } from './storage.js';

/**
 * Decides at boot whether the storages are the places that the database knows. It is a port so that storages need not
 * know files.
 */
export abstract class StorageAdmission {
  /** Throws `StorageMarkMismatchedError` for one that is not, before anything is written to it. */
  abstract admit(storages: readonly Storage[]): Promise<void>;
}
