import { In } from 'typeorm';
import type { EntityManager, FindOptionsSelect } from 'typeorm';
import { FileNotFoundError, FilePinnedError } from '../errors/files.errors.js';
import { ManagedFile } from './managed-file.entity.js';
import { seesEveryCommit } from '../unit-of-work/scopes/sees-every-commit.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import { lockRows } from '../unit-of-work/typeorm/row-locks.js';

/**
 * The files, locked until the transaction ends, in the order of their ids, so that two callers cannot deadlock. What
 * may be done with a file is decided by the rows this returns. Missing ids are left out.
 */
export async function lockFiles(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  const query = manager
    .createQueryBuilder(ManagedFile, 'file')
    .where('file.id IN (:...ids)', { ids: [...new Set(ids)] })
    .orderBy('file.id');
  return lockRows(query).getMany();
}

/**
 * The rows of the files as they are now. In a transaction with a snapshot, only a lock shows these, or fails. Missing
 * ids are left out.
 */
export function latestFiles(
  manager: EntityManager,
  ids: readonly string[],
  select?: FindOptionsSelect<ManagedFile>,
): Promise<ManagedFile[]> {
  if (!seesEveryCommit(dataSourceOf(manager))) return lockFiles(manager, ids);
  return manager.find(ManagedFile, { ...(select && { select }), where: { id: In([...ids]) } });
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
