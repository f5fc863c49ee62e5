import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';

type Query = (query: unknown, values?: unknown, ...rest: unknown[]) => unknown;

/** A client of `pg`. */
interface Client {
  query: Query;
}

const names = new WeakMap<DataSource, Map<string, string>>();
const clients = new WeakSet<object>();

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

/** Makes the client name the texts that have a name: TypeORM hands it texts, and has no place for their names. */
export function sendNames(dataSource: DataSource, client: Client): void {
  const known = names.get(dataSource);
  if (!known || clients.has(client)) return;
  clients.add(client);
  const query = client.query.bind(client) as Query;
  client.query = (text, values, ...rest) => {
    const name = typeof text === 'string' ? known.get(text) : undefined;
    return name === undefined ? query(text, values, ...rest) : query({ name, text, values }, ...rest);
  };
}
