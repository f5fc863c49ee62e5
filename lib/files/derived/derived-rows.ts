import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { familyOf, dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { ManagedFile } from '../managed-file.entity.js';
import { FILE_OWNER } from '../owner-reference.js';

const IDS_PER_STATEMENT = 10_000;

/** Whether the file is derived from another one, its owner. */
export function isDerived({ ownerType }: Pick<ManagedFile, 'ownerType'>): boolean {
  return ownerType === FILE_OWNER;
}

/**
 * Since when the file has its content. It tells one content of a file from another, wherever the bytes are. A derived file has that of its
 * original as its `createdAt`.
 */
export function contentTime({ createdAt, replacedAt }: Pick<ManagedFile, 'createdAt' | 'replacedAt'>): number {
  return (replacedAt ?? createdAt).getTime();
}

/** Whether the derived file was made of the content that the original has. */
export function isOfContent(derived: ManagedFile, original: ManagedFile): boolean {
  return derived.createdAt.getTime() === contentTime(original);
}

/**
 * Whether it stands for content of which nothing could be made. It has no bytes, and is an ordinary file otherwise, so that it goes with its
 * original like others.
 */
export function isEmptyStandIn({ size }: ManagedFile): boolean {
  return size === 0;
}

/** The derived files of these originals, in the order of their ids. */
export function derivedOf(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  return manager.find(ManagedFile, { where: { ownerType: FILE_OWNER, ownerId: In([...ids]) }, order: { id: 'ASC' } });
}

/** As `derivedOf`, locked until the transaction ends. Lock their originals before: who writes derived files has locked these, too. */
export async function lockDerivedOf(manager: EntityManager, ids: readonly string[]): Promise<ManagedFile[]> {
  const isLocking = familyOf(dataSourceOf(manager)) !== 'sqlite';
  const found: ManagedFile[] = [];
  for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) {
    const query = manager
      .createQueryBuilder(ManagedFile, 'file')
      .where('file.ownerType = :type AND file.ownerId IN (:...chunk)', { type: FILE_OWNER, chunk })
      .orderBy('file.id');
    // SQLite has one writer at a time, and TypeORM refuses the clause there.
    found.push(...(await (isLocking ? query.setLock('pessimistic_write') : query).getMany()));
  }
  return found;
}
