import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { FileDerivedError } from '../../errors/files.errors.js';
import { lockRows } from '../../unit-of-work/typeorm/row-locks.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { ManagedFile } from '../managed-file.entity.js';
import { FILE_OWNER } from '../owner-reference.js';

const IDS_PER_STATEMENT = 10_000;

/** Whether the file is derived from another one, its owner. */
export function isDerived({ ownerType }: Pick<ManagedFile, 'ownerType'>): boolean {
  return ownerType === FILE_OWNER;
}

/** Throws `FileDerivedError` if the file is derived: only its derivation may change it. */
export function assertNotDerived({ id, ownerType }: Pick<ManagedFile, 'id' | 'ownerType'>, operation: string): void {
  if (isDerived({ ownerType })) throw new FileDerivedError(id, operation);
}

/**
 * The time at which the file got its content. It identifies this content among all contents of the file, wherever the
 * bytes are. The `createdAt` of a derived file is the content time of its original.
 */
export function contentTime({ createdAt, replacedAt }: Pick<ManagedFile, 'createdAt' | 'replacedAt'>): number {
  return (replacedAt ?? createdAt).getTime();
}

/** Whether the derived file was made from the content that the original has now. */
export function isOfContent(derived: ManagedFile, original: ManagedFile): boolean {
  return derived.createdAt.getTime() === contentTime(original);
}

/**
 * Whether the row records that nothing could be made from the content. It has no bytes. Otherwise it is an ordinary
 * file, so it is removed with its original like other derived files.
 */
export function isEmptyStandIn({ size }: ManagedFile): boolean {
  return size === 0;
}

/** The derived files of these originals, in the order of their ids. */
export function derivedOf(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  return manager.find(ManagedFile, { where: { ownerType: FILE_OWNER, ownerId: In([...ids]) }, order: { id: 'ASC' } });
}

/**
 * As `derivedOf`, locked until the transaction ends. Lock their originals before: who writes derived files has locked
 * these, too.
 */
export async function lockDerivedOf(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  const found: ManagedFile[] = [];
  for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) {
    const query = manager
      .createQueryBuilder(ManagedFile, 'file')
      .where('file.ownerType = :type AND file.ownerId IN (:...chunk)', { type: FILE_OWNER, chunk })
      .orderBy('file.id');
    found.push(...(await lockRows(query).getMany()));
  }
  return found;
}

/**
 * Those of the originals that have derived files which no transaction has locked, on PostgreSQL. Called outside of a
 * transaction that has locked all derived files that it sees: the others were made after its snapshot.
 */
export function unlockedDerivedOf(beside: EntityManager, ids: readonly string[]): Promise<string[]> {
  return beside.transaction(async (manager) => {
    const originals = new Set<string>();
    for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) {
      const query = manager
        .createQueryBuilder(ManagedFile, 'file')
        .select('file.ownerId', 'original')
        .where('file.ownerType = :type AND file.ownerId IN (:...chunk)', { type: FILE_OWNER, chunk })
        .setLock('for_key_share')
        .setOnLocked('skip_locked');
      for (const { original } of await query.getRawMany<{ original: string }>()) originals.add(original);
    }
    return [...originals];
  });
}
