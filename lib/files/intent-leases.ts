import { randomUUID } from 'node:crypto';
import { In, IsNull, LessThanOrEqual } from 'typeorm';
import type { EntityManager, SelectQueryBuilder } from 'typeorm';
import type { Transactor } from '../unit-of-work/transactor.js';
import { FileIntent } from './file-intent.entity.js';

/** What may be claimed, and for how long. */
export interface Claim {
  now: Date;
  /** Intents to create that are older have been abandoned. */
  abandonedBefore: Date;
  leaseUntil: Date;
  limit: number;
}

const CLAIM_RETRIES = 5;

/**
 * Makes due intents the caller's: those to delete at once, as their deletion is committed; those to create when they are old. Nobody else
 * gets them while the lease lasts. Empty when nothing is due.
 */
export async function claimIntents(transactor: Transactor, claim: Claim): Promise<FileIntent[]> {
  for (;;) {
    const token = randomUUID();
    const due = await dueIntents(transactor.dataSource.manager, claim);
    if (due.length === 0) return [];
    // One statement on every database: of those who want an intent, one changes it from what they all have seen.
    await transactor.run(({ manager }) => lease(manager, due, token, claim), { retry: CLAIM_RETRIES });
    const claimed = await transactor.dataSource
      .getRepository(FileIntent)
      .find({ where: { leaseOwner: token }, order: { id: 'ASC' } });
    if (claimed.length > 0) return claimed;
  }
}

async function dueIntents(manager: EntityManager, { limit, ...claim }: Claim): Promise<string[]> {
  const query = unleased(manager.createQueryBuilder(FileIntent, 'intent').select('intent.id'), claim);
  const found = await query.orderBy('intent.createdAt').addOrderBy('intent.id').limit(limit).getMany();
  return found.map(({ id }) => id);
}

function unleased(
  query: SelectQueryBuilder<FileIntent>,
  { now, abandonedBefore }: Pick<Claim, 'now' | 'abandonedBefore'>,
): SelectQueryBuilder<FileIntent> {
  return query
    .where("(intent.kind = 'delete' OR intent.createdAt <= :abandoned)", { abandoned: abandonedBefore.getTime() })
    .andWhere('(intent.leaseUntil IS NULL OR intent.leaseUntil <= :now)', { now: now.getTime() });
}

async function lease(manager: EntityManager, ids: readonly string[], token: string, claim: Claim): Promise<void> {
  await manager
    .createQueryBuilder()
    .update(FileIntent)
    .set({ leaseOwner: token, leaseUntil: claim.leaseUntil })
    .where([
      { id: In(ids.toSorted()), leaseUntil: IsNull() },
      { id: In(ids.toSorted()), leaseUntil: LessThanOrEqual(claim.now) },
    ])
    .execute();
}
