import type { DataSource, EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { dataSourceOf, familyOf } from './data-source.js';

/** Whether rows can be locked. SQLite has one writer at a time, and TypeORM refuses FOR UPDATE there. */
export function locksRows(dataSource: DataSource): boolean {
  return familyOf(dataSource) !== 'sqlite';
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

/**
 * The query, whose rows are then locked until the transaction ends. With `skipLocked`, rows that another transaction
 * has locked are left out, where the server can do that.
 */
export function lockRows<Entity extends ObjectLiteral>(
  query: SelectQueryBuilder<Entity>,
  { skipLocked = false } = {},
): SelectQueryBuilder<Entity> {
  const dataSource = dataSourceOf(query);
  if (!locksRows(dataSource)) return query;
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
  const family = familyOf(dataSourceOf(manager));
  if (family === 'sqlite') return query.getRawMany();
  if (family === 'mysql') {
    // For the type mysql TypeORM writes FOR SHARE, which a MariaDB server refuses. Both servers know this.
    const [sql, parameters] = query.getQueryAndParameters();
    return manager.query(`${sql} LOCK IN SHARE MODE`, parameters);
  }
  return query.setLock(forKeyShare && family === 'postgres' ? 'for_key_share' : 'pessimistic_read').getRawMany();
}
