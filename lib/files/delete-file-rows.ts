import type { EntityManager } from 'typeorm';
import { FilesInUseError } from '../errors/ownership.errors.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import { databaseFault } from '../unit-of-work/transaction/database-fault.js';
import { ManagedFile } from './managed-file.entity.js';

const IDS_PER_STATEMENT = 10_000;

/** Deletes the rows; throws `FilesInUseError` where a row of the application refers to one of them by a foreign key. */
export async function deleteFileRows(manager: EntityManager, ids: readonly string[]): Promise<void> {
  for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) {
    try {
      await manager.delete(ManagedFile, chunk);
    } catch (error) {
      if (databaseFault(error) !== 'foreign-key') throw error;
      throw new FilesInUseError(chunk, undefined, { cause: error });
    }
  }
}
