import type { DataSource } from 'typeorm';
import { isOnPglite, leasePglite } from './pglite-lease.js';
import { leaseSqlite } from './sqlite-lease.js';

/** Whether the data source has one connection for all its work. */
export function sharesConnection(dataSource: DataSource): boolean {
  return dataSource.options.type === 'better-sqlite3' || isOnPglite(dataSource);
}

/** If the data source has only one connection, leases it to one caller at a time; the returned function ends that. */
export function leaseConnection(dataSource: DataSource): () => void {
  return dataSource.options.type === 'better-sqlite3' ? leaseSqlite(dataSource) : leasePglite(dataSource);
}
