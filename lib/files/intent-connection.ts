import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FileIntent } from './file-intent.entity.js';

type ReplicatedOptions = DataSourceOptions & { readonly replication?: { readonly master: object } };

/**
 * A connection for intents that have to commit while the caller's transaction is open. It is not one of the application's pool: were
 * all of those held by units that wait for another one here, none would ever end.
 */
export class IntentConnection {
  #opened: Promise<DataSource> | undefined;

  constructor(private readonly dataSource: DataSource) {}

  /** Opens it when it is first needed. */
  open(): Promise<DataSource> {
    this.#opened ??= this.#connect().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    await opened?.destroy();
  }

  #connect(): Promise<DataSource> {
    // Intents are written and removed, which is for the master alone.
    const { replication, ...options } = this.dataSource.options as ReplicatedOptions;
    const own = {
      ...replication?.master,
      entities: [FileIntent],
      subscribers: [],
      migrations: [],
      synchronize: false,
      migrationsRun: false,
      dropSchema: false,
      cache: false,
      poolSize: 1,
      // What is said here would count more than `poolSize`.
      extra: {
        ...(options.extra as object | undefined),
        ...(options.type === 'postgres' ? { max: 1 } : { connectionLimit: 1 }),
      },
    };
    return new DataSource({ ...options, ...own } as DataSourceOptions).initialize();
  }
}
