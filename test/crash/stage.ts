import { setTimeout as delay } from 'node:timers/promises';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DEMO_ACCOUNTS } from '../../sample/portal/users/demo-accounts.js';
import { PortalClient } from '../e2e/portal/portal-client.js';
import type { OpenDatabase, TestDatabase } from '../support/databases.js';
import type { Bytes } from './bytes.js';
import { clearTables, readState } from './portal-state.js';
import type { PortalState } from './portal-state.js';
import { startCrashPortal } from './portal/crash-portal.js';

// What dead clients have left at work, or in a transaction.
const BUSY: Record<string, string> = {
  postgres: `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`,
  mariadb:
    `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND (command <> 'Sleep' ` +
    // A living client that has read with SKIP LOCKED, and has committed, may stay in the list; there is nothing that it holds.
    'OR id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_rows_locked + trx_rows_modified > 0))',
};

/** A database and a place for bytes, which portals come to and go from; read bypassing the library. */
export class Stage {
  private constructor(
    private readonly database: OpenDatabase,
    readonly kind: TestDatabase['kind'],
    readonly bytes: Bytes,
    /** At no portal in particular. */
    readonly alice: PortalClient,
  ) {}

  static async build({ open, kind }: TestDatabase, bytes: Bytes): Promise<Stage> {
    const database = await open({ entities: [] });
    // The first portal makes the tables and the people.
    const { app, url } = await startCrashPortal({
      database: { ...database.dataSource.options },
      storage: bytes.open(),
    });
    const [{ name, password }] = DEMO_ACCOUNTS as [(typeof DEMO_ACCOUNTS)[number]];
    const alice = await new PortalClient(url).logIn(name, password);
    await app.close();
    return new Stage(database, kind, bytes, alice);
  }

  /** The options of another data source on the database. */
  get options(): TypeOrmModuleOptions {
    return { ...this.database.dataSource.options, synchronize: false } as TypeOrmModuleOptions;
  }

  async clear(): Promise<void> {
    await clearTables(this.database.dataSource);
    await this.bytes.clear();
  }

  state(): Promise<PortalState> {
    return readState(this.database.dataSource, this.bytes);
  }

  /** Resolves when the server has done what it still had to do for connections that are dead. */
  async quiet(): Promise<void> {
    const busy = BUSY[this.kind];
    while (busy && (await this.database.read(busy)).length > 0) await delay(2);
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}
