import { setTimeout as delay } from 'node:timers/promises';
import type { OpenDatabase, TestDatabase } from './databases.js';

// What dead clients have left at work, or in a transaction.
const BUSY: Record<string, string> = {
  postgres: `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`,
  mariadb:
    `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND (command <> 'Sleep' ` +
    // A living client that has read with SKIP LOCKED, and has committed, may stay in the list; there is nothing that it
    // holds.
    'OR id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_rows_locked + trx_rows_modified > 0))',
};

/** Resolves when the server has done what it still had to do for connections that are dead. */
export async function connectionsAtRest(
  kind: TestDatabase['kind'],
  { read }: Pick<OpenDatabase, 'read'>,
): Promise<void> {
  const busy = BUSY[kind];
  while (busy && (await read(busy)).length > 0) await delay(2);
}

const OTHERS: Record<string, string> = {
  postgres: 'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  mariadb: 'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
};

/** How many connections the server has to the database, without the one that reads. It forgets closed ones late. */
export async function connectionsOf(kind: TestDatabase['kind'], { read }: Pick<OpenDatabase, 'read'>): Promise<number> {
  const others = OTHERS[kind];
  return others === undefined ? 0 : (await read(others)).length;
}
