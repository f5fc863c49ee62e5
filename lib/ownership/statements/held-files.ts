import { Brackets, In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { FileChangedError } from '../../errors/files.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { hasSnapshot } from '../../unit-of-work/scopes/sees-every-commit.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { FileTransfer } from '../file-transfer.entity.js';
import type { TransferRuntime } from '../transfer-runtime.js';

/** An owner's files: those that this field of it holds, or all. */
export interface Holding {
  readonly owner: OwnerReference;
  /** @default all fields, and none */
  readonly field?: string;
}

interface Group {
  readonly type: string;
  readonly field: string | undefined;
  readonly ids: Set<string>;
}

const OWNERS_PER_STATEMENT = 5_000;

/**
 * The ids of the files that the owners have now, by one statement for any number of owners. Nothing is locked: callers
 * lock the files, and look at their owners again. In a transaction with a snapshot, files that the owners got since are
 * read outside of it and returned, too. PostgreSQL cannot change these in the transaction, so it fails there: with a
 * serialization error, or with `FileChangedError` for files that were made since.
 */
export async function heldFiles(
  runtime: Pick<TransferRuntime, 'content' | 'statements'>,
  manager: EntityManager,
  holdings: readonly Holding[],
): Promise<string[]> {
  if (holdings.length === 0) return [];
  const held = await readHeld(manager, holdings);
  if (!(await hasSnapshot(manager))) return held;
  const seen = new Set(held);
  const others = (await readHeld(await runtime.content.beside(), holdings)).filter((id) => !seen.has(id));
  if (!dialectOf(dataSourceOf(manager)).locksLatest) await assertSeen(runtime, manager, others);
  return [...held, ...others];
}

async function readHeld(manager: EntityManager, holdings: readonly Holding[]): Promise<string[]> {
  const found = new Set<string>();
  for (const chunk of inChunks(holdings, OWNERS_PER_STATEMENT)) {
    const query = manager.createQueryBuilder(ManagedFile, 'file').select('file.id', 'id');
    for (const [index, group] of groups(chunk).entries()) {
      query.orWhere(new Brackets((where) => restrict(where, group, index)));
    }
    const rows = await query.getRawMany<{ id: string }>();
    for (const { id } of rows) found.add(id);
  }
  return [...found];
}

/** Throws if one of the files was changed or made after the snapshot of the transaction. */
async function assertSeen(
  { statements }: Pick<TransferRuntime, 'statements'>,
  manager: EntityManager,
  others: readonly string[],
): Promise<void> {
  if (others.length === 0) return;
  const seen = new Set<string>();
  // PostgreSQL refuses to lock a row that was changed since. Those that it locks were taken in this transaction.
  for (const { id } of await statements.lock(manager, others)) seen.add(id);
  // Files that this transaction has deleted have a history here.
  for (const chunk of inChunks(others, OWNERS_PER_STATEMENT))
    for (const { fileId } of await manager.findBy(FileTransfer, { fileId: In(chunk) })) seen.add(fileId);
  const unseen = others.filter((id) => !seen.has(id));
  if (unseen.length > 0) throw new FileChangedError(unseen);
}

// Not one condition for each owner: SQLite takes no more than 1000 of them.
function groups(holdings: readonly Holding[]): Group[] {
  const found = new Map<string, Group>();
  for (const { owner, field } of holdings) {
    const key = `${owner.type} ${field ?? ''}`;
    const group = found.get(key) ?? { type: owner.type, field, ids: new Set<string>() };
    found.set(key, group);
    group.ids.add(owner.id);
  }
  return [...found.values()];
}

function restrict(where: Parameters<ConstructorParameters<typeof Brackets>[0]>[0], group: Group, index: number): void {
  where
    .where(`file.ownerType = :type${index}`, { [`type${index}`]: group.type })
    .andWhere(`file.ownerId IN (:...ids${index})`, { [`ids${index}`]: [...group.ids] });
  if (group.field !== undefined) where.andWhere(`file.ownerField = :field${index}`, { [`field${index}`]: group.field });
}
