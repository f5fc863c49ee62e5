import type { DataSource } from 'typeorm';

/** Whether the database has one writer at a time, and TypeORM one connection for everybody. */
export function isSqlite({ options: { type } }: DataSource): boolean {
  return type === 'better-sqlite3' || type === 'sqljs';
}
