import type { DataSource, EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { dialectOf } from '../dialects/dialect-of.js';
import { dataSourceOf } from './data-source.js';

/** Whether the server of an open data source knows `SKIP LOCKED`. */
export function skipsLocked(dataSource: DataSource): boolean {
  return dialectOf(dataSource).skipsLocked(dataSource.driver.version);
}

/**
 * The query, whose rows are then locked until the transaction ends. With `skipLocked`, rows that another transaction
 * has locked are left out, where the server can do that.
 */
export function lockRows<Entity extends ObjectLiteral>(
  query: SelectQueryBuilder<Entity>,
  { skipLocked = false } = {},
): SelectQueryBuilder<Entity> {
  const dataSource = dataSourceOf(query);
  // TypeORM refuses FOR UPDATE there.
  if (dialectOf(dataSource).hasOneWriter) return query;
  const locking = query.setLock('pessimistic_write');
  return skipLocked && skipsLocked(dataSource) ? locking.setOnLocked('skip_locked') : locking;
}

/**
 * Returns the raw rows of the query under a shared lock. Until the transaction ends, others can lock them in the same
 * way, but not change them. With `forKeyShare` on PostgreSQL, others can change all columns except keys.
 */
export function lockShared<Row extends object>(
  manager: EntityManager,
  query: SelectQueryBuilder<ObjectLiteral>,
  { forKeyShare = false } = {},
): Promise<Row[]> {
  const { hasOneWriter, forShare, keyShareLock } = dialectOf(dataSourceOf(manager));
  if (hasOneWriter) return query.getRawMany();
  if (forShare === undefined) return query.setLock(forKeyShare ? keyShareLock : 'pessimistic_read').getRawMany();
  const [sql, parameters] = query.getQueryAndParameters();
  return manager.query(sql + forShare, parameters);
}
