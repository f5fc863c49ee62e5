import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { FileNotFoundError, FilePinnedError } from '../errors/files.errors.js';
import { ManagedFile } from './managed-file.entity.js';
import { dataSourceOf, familyOf } from '../unit-of-work/typeorm/data-source.js';

/**
 * The files, locked until the transaction ends, in the order of their ids, so that two callers cannot deadlock. What
 * may be done with a file is decided by the rows this returns. Missing ids are left out.
 */
export async function lockFiles(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  const query = manager
    .createQueryBuilder(ManagedFile, 'file')
    .where('file.id IN (:...ids)', { ids: [...new Set(ids)] })
    .orderBy('file.id');
  // SQLite has one writer at a time, and TypeORM refuses the clause there.
  return (familyOf(dataSourceOf(manager)) === 'sqlite' ? query : query.setLock('pessimistic_write')).getMany();
}

/**
 * The file, locked until the transaction ends; throws `FileNotFoundError`, and `FilePinnedError` where an operation is
 * named that a pin protects from.
 */
export async function lockFile(
  manager: EntityManager,
  id: string,
  refuse?: { operation: string; force: boolean },
): Promise<ManagedFile> {
  const [file] = await lockFiles(manager, [id]);
  if (!file) throw new FileNotFoundError(id);
  if (refuse && file.pinned && !refuse.force) throw new FilePinnedError(id, refuse.operation);
  return file;
}

/**
 * The raw rows of the query, which nobody changes before the transaction ends; others may lock them in the same way.
 * `forKeyShare` lets PostgreSQL change all but their keys.
 */
export function lockShared<Row extends object>(
  manager: EntityManager,
  query: SelectQueryBuilder<ObjectLiteral>,
  { forKeyShare = false } = {},
): Promise<Row[]> {
  const family = familyOf(dataSourceOf(manager));
  if (family === 'sqlite') return query.getRawMany();
  if (family === 'mysql') {
    // For the type mysql TypeORM writes FOR SHARE, which a MariaDB server refuses. Both servers know this.
    const [sql, parameters] = query.getQueryAndParameters();
    return manager.query(`${sql} LOCK IN SHARE MODE`, parameters);
  }
  return query.setLock(forKeyShare && family === 'postgres' ? 'for_key_share' : 'pessimistic_read').getRawMany();
}
