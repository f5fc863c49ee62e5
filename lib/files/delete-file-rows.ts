import type { EntityManager } from 'typeorm';
import { FilesInUseError } from '../errors/ownership.errors.js';
import { databaseFault } from '../unit-of-work/transaction/database-fault.js';
import { ManagedFile } from './managed-file.entity.js';

/** Deletes the rows; throws `FilesInUseError` where a row of the application refers to one of them by a foreign key. */
export async function deleteFileRows(manager: EntityManager, ids: readonly string[]): Promise<void> {
  try {
    await manager.delete(ManagedFile, [...ids]);
  } catch (error) {
    if (databaseFault(error) !== 'foreign-key') throw error;
    throw new FilesInUseError(ids, undefined, { cause: error });
  }
}
