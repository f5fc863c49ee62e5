import type { DataSource } from 'typeorm';

/** Databases that speak one dialect. SQLite has one writer at a time, and TypeORM one connection for everybody. */
export type DatabaseFamily = 'postgres' | 'mysql' | 'sqlite' | 'other';

const FAMILIES: Readonly<Record<string, DatabaseFamily>> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'better-sqlite3': 'sqlite',
  sqljs: 'sqlite',
};

/** The family of a data source's database, whatever the driver is called. */
export function familyOf({ options: { type } }: DataSource): DatabaseFamily {
  return FAMILIES[type] ?? 'other';
}
