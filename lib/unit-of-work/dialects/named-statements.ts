import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';

const names = new WeakMap<DataSource, Map<string, string>>();

/**
 * Has PostgreSQL plan this text once for each connection instead of once for each call, in units of work. The text must always be the
 * same: what differs are parameters.
 */
export function nameStatement(dataSource: DataSource, sql: string): string {
  const known = names.get(dataSource) ?? new Map<string, string>();
  names.set(dataSource, known);
  known.set(sql, `nestjs_files_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`);
  return sql;
}

/** The name of a text that has one. */
export function statementName(dataSource: DataSource, sql: string): string | undefined {
  return names.get(dataSource)?.get(sql);
}
