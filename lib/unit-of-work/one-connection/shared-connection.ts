import type { DataSource } from 'typeorm';
import { isOnPglite, leasePglite } from './pglite-lease.js';
import { leaseSqlite } from './sqlite-lease.js';

/** Whether there is one connection for everything that goes through the data source. */
export function sharesConnection(dataSource: DataSource): boolean {
  return dataSource.options.type === 'better-sqlite3' || isOnPglite(dataSource);
}

/** Where there is one connection for everything, leases it to one caller at a time; the function it returns takes that back. */
export function leaseConnection(dataSource: DataSource): () => void {
  return dataSource.options.type === 'better-sqlite3' ? leaseSqlite(dataSource) : leasePglite(dataSource);
}
