import { EntityManager } from 'typeorm';
import type { DataSource, QueryRunner } from 'typeorm';

/** Has no subscribers. */
class Broadcaster {
  broadcast(): Promise<void> {
    return Promise.resolve();
  }

  broadcastBeforeQueryEvent(): void {}

  broadcastAfterQueryEvent(..._event: unknown[]): void {}
}

/**
 * Begins and ends transactions as TypeORM does. It runs no other statements: code cannot reach it through a
 * `TestTaskQueue`.
 */
class Runner {
  readonly broadcaster = new Broadcaster();
  readonly manager: EntityManager;
  readonly cachedTablePaths = {};
  readonly loadedTables = [];
  readonly loadedViews = [];
  readonly sqlInMemory = {};
  data = {};
  isReleased = false;
  isTransactionActive = false;
  transactionDepth = 0;

  constructor(
    readonly dataSource: DataSource,
    readonly connection = dataSource,
  ) {
    this.manager = dataSource.createEntityManager(this as unknown as QueryRunner);
  }

  connect(): Promise<object> {
    return Promise.resolve(this);
  }

  query(sql: string): Promise<object> {
    this.broadcaster.broadcastAfterQueryEvent(undefined, sql, [], true, 0, undefined, undefined);
    return Promise.resolve({ raw: undefined, records: [] });
  }

  async startTransaction(): Promise<void> {
    this.isTransactionActive = true;
    await this.query(this.transactionDepth === 0 ? 'START TRANSACTION' : `SAVEPOINT typeorm_${this.transactionDepth}`);
    this.transactionDepth++;
  }

  async commitTransaction(): Promise<void> {
    const isNested = this.transactionDepth > 1;
    await this.query(isNested ? `RELEASE SAVEPOINT typeorm_${this.transactionDepth - 1}` : 'COMMIT');
    this.#leave(isNested);
  }

  async rollbackTransaction(): Promise<void> {
    const isNested = this.transactionDepth > 1;
    await this.query(isNested ? `ROLLBACK TO SAVEPOINT typeorm_${this.transactionDepth - 1}` : 'ROLLBACK');
    this.#leave(isNested);
  }

  release(): Promise<void> {
    this.isReleased = true;
    return Promise.resolve();
  }

  #leave(isNested: boolean): void {
    this.isTransactionActive = isNested;
    this.transactionDepth--;
  }
}

/** A data source with transactions that hold nothing: what units of work are run on where a test has no database. */
export function noDatabase(): DataSource {
  const dataSource = {
    options: { type: 'none' },
    driver: { isReplicated: false },
    subscribers: [],
    entityMetadatas: [],
    isInitialized: true,
    createQueryRunner: () => new Runner(dataSource) as unknown as QueryRunner,
    createEntityManager: (runner?: QueryRunner) => new EntityManager(dataSource, runner),
    createQueryBuilder: () => undefined,
    query: () => undefined,
    transaction: () => undefined,
    destroy: () => Promise.resolve(),
  } as unknown as DataSource;
  return Object.assign(dataSource, { manager: new EntityManager(dataSource) });
}
