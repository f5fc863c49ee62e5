import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DEMO_ACCOUNTS } from '../../sample/portal/users/demo-accounts.js';
import { PortalClient } from '../e2e/portal/portal-client.js';
import { connectionsAtRest } from '../support/connections-at-rest.js';
import type { OpenDatabase, TestDatabase } from '../support/databases.js';
import type { Bytes } from './bytes.js';
import { clearTables, readState } from './portal-state.js';
import type { PortalState } from './portal-state.js';
import { startCrashPortal } from './portal/crash-portal.js';

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
    await connectionsAtRest(this.kind, this.database);
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}
