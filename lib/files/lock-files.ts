import type { EntityManager } from 'typeorm';
import { ManagedFile } from './managed-file.entity.js';

/**
 * The files, locked until the transaction ends, in the order of their ids: whoever locks several in one order cannot deadlock. What
 * may be done with a file is decided by the rows this returns. Missing ids are left out.
 */
export async function lockFiles(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  const query = manager
    .createQueryBuilder(ManagedFile, 'file')
    .where('file.id IN (:...ids)', { ids: [...new Set(ids)] })
    .orderBy('file.id');
  // SQLite has one writer at a time, and TypeORM refuses the clause there.
  const { type } = manager.dataSource.options;
  const isSqlite = type === 'better-sqlite3' || type === 'sqljs';
  return (isSqlite ? query : query.setLock('pessimistic_write')).getMany();
}
