import { randomUUID } from 'node:crypto';
import { type EntityManager, In, IsNull, type SelectQueryBuilder } from 'typeorm';
import type { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { notAfter } from '../columns.js';
import { FileIntent } from './file-intent.entity.js';
import { lockRows, skipsLocked } from '../../unit-of-work/typeorm/row-locks.js';

/** Which intents may be leased, and for how long. */
export interface LeaseTerms {
  now: Date;
  /** Intents to create that are older have been abandoned. */
  abandonedBefore: Date;
  leaseUntil: Date;
  limit: number;
}

const LEASE_RETRIES = 5;

/**
 * Leases due intents to the caller: deletions at once, since they are committed; creations when they are old; none that
 * is leased. Nobody else gets them while the lease lasts. Empty when nothing is due.
 */
export function leaseIntents(transactor: Transactor, terms: LeaseTerms): Promise<FileIntent[]> {
  return skipsLocked(transactor.dataSource) ? leaseUnlocked(transactor, terms) : leaseByToken(transactor, terms);
}

/** Skips intents that another process is about to lease, so that none waits. */
function leaseUnlocked(transactor: Transactor, terms: LeaseTerms): Promise<FileIntent[]> {
  const leased = { leaseOwner: randomUUID(), leaseUntil: terms.leaseUntil };
  const work = async ({ manager }: UnitOfWork): Promise<FileIntent[]> => {
    const query = due(manager.createQueryBuilder(FileIntent, 'intent'), terms);
    const intents = await lockRows(query, { skipLocked: true }).getMany();
    const ids = intents.map(({ id }) => id);
    if (ids.length > 0) await manager.update(FileIntent, ids, leased);
    return intents.map((intent) => Object.assign(intent, leased));
  };
  return transactor.run(work, { retry: LEASE_RETRIES });
}

/**
 * On every database: of several processes that read an intent, only one can change it from the state that all have
 * read.
 */
async function leaseByToken(transactor: Transactor, terms: LeaseTerms): Promise<FileIntent[]> {
  for (;;) {
    const token = randomUUID();
    const query = transactor.dataSource.manager.createQueryBuilder(FileIntent, 'intent').select('intent.id');
    const ids = (await due(query, terms).getMany()).map(({ id }) => id);
    if (ids.length === 0) return [];
    await transactor.run(({ manager }) => lease(manager, ids, token, terms), { retry: LEASE_RETRIES });
    const leased = await transactor.dataSource
      .getRepository(FileIntent)
      .find({ where: { leaseOwner: token }, order: { id: 'ASC' } });
    if (leased.length > 0) return leased;
  }
}

function due(query: SelectQueryBuilder<FileIntent>, { limit, ...terms }: LeaseTerms): SelectQueryBuilder<FileIntent> {
  return unleased(query, terms).orderBy('intent.createdAt').addOrderBy('intent.id').limit(limit);
}

type DueTerms = Pick<LeaseTerms, 'now' | 'abandonedBefore'>;

/** Whether the intent is due and unleased. `unleased()` is the same rule, as SQL. */
export function isDue({ kind, createdAt, leaseUntil }: FileIntent, { now, abandonedBefore }: DueTerms): boolean {
  return (kind === 'delete' || createdAt <= abandonedBefore) && (leaseUntil === null || leaseUntil <= now);
}

function unleased(
  query: SelectQueryBuilder<FileIntent>,
  { now, abandonedBefore }: DueTerms,
): SelectQueryBuilder<FileIntent> {
  return query
    .where("(intent.kind = 'delete' OR intent.createdAt <= :abandoned)", { abandoned: abandonedBefore.getTime() })
    .andWhere('(intent.leaseUntil IS NULL OR intent.leaseUntil <= :now)', { now: now.getTime() });
}

async function lease(manager: EntityManager, ids: readonly string[], token: string, terms: LeaseTerms): Promise<void> {
  await manager
    .createQueryBuilder()
    .update(FileIntent)
    .set({ leaseOwner: token, leaseUntil: terms.leaseUntil })
    .where([
      { id: In(ids.toSorted()), leaseUntil: IsNull() },
      { id: In(ids.toSorted()), leaseUntil: notAfter(terms.now) },
    ])
    .execute();
}
