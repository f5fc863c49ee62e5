import { Brackets } from 'typeorm';
import type { EntityManager } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';

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
 * The ids of the files that the owners have, as they are now; nothing is locked. One statement for any number of
 * owners.
 */
export async function heldFiles(manager: EntityManager, holdings: readonly Holding[]): Promise<string[]> {
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
