import type { DataSource } from 'typeorm';

/** Whether the server of an open data source knows `SKIP LOCKED`: PostgreSQL, MySQL from 8.0 on, MariaDB from 10.6 on. */
export function skipsLocked({ options: { type }, driver }: DataSource): boolean {
  if (type === 'postgres') return true;
  if (type !== 'mysql' && type !== 'mariadb') return false;
  const [major = 0, minor = 0] = (driver.version ?? '').split('.').map(Number);
  // MySQL went from 5 to 8, and MariaDB is at 10 and above, whatever the data source takes its server for.
  return major === 8 || major === 9 || major > 10 || (major === 10 && minor >= 6);
}
