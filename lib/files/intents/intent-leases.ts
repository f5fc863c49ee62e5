import { randomUUID } from 'node:crypto';
import { type DataSource, type EntityManager, In, IsNull, type SelectQueryBuilder } from 'typeorm';
import type { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { notAfter } from '../columns.js';
import { FileIntent } from './file-intent.entity.js';
import { familyOf } from '../../unit-of-work/typeorm/data-source.js';

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
 * Leases due intents to the caller: deletions at once, since they are committed; creations when they are old. Nobody
 * else gets them while the lease lasts. Empty when nothing is due.
 */
export function leaseIntents(transactor: Transactor, terms: LeaseTerms): Promise<FileIntent[]> {
  return skipsLocked(transactor.dataSource) ? leaseUnlocked(transactor, terms) : leaseByToken(transactor, terms);
}

/** Skips intents that another process is about to lease, so that none waits. */
function leaseUnlocked(transactor: Transactor, terms: LeaseTerms): Promise<FileIntent[]> {
  const leased = { leaseOwner: randomUUID(), leaseUntil: terms.leaseUntil };
  const work = async ({ manager }: UnitOfWork): Promise<FileIntent[]> => {
    const query = due(manager.createQueryBuilder(FileIntent, 'intent'), terms);
    const intents = await query.setLock('pessimistic_write').setOnLocked('skip_locked').getMany();
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

function unleased(
  query: SelectQueryBuilder<FileIntent>,
  { now, abandonedBefore }: Pick<LeaseTerms, 'now' | 'abandonedBefore'>,
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

/**
 * Whether the server of an open data source knows `SKIP LOCKED`: PostgreSQL, MySQL from 8.0 on, MariaDB from 10.6 on.
 */
export function skipsLocked(dataSource: DataSource): boolean {
  const family = familyOf(dataSource);
  if (family === 'postgres') return true;
  if (family !== 'mysql') return false;
  const [major = 0, minor = 0] = (dataSource.driver.version ?? '').split('.').map(Number);
  // MySQL went from 5 to 8, and MariaDB is at 10 and above, so the version tells them apart, whichever type the data
  // source has.
  return major === 8 || major === 9 || major > 10 || (major === 10 && minor >= 6);
}
