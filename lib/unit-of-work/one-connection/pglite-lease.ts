import type { DataSource, QueryRunner } from 'typeorm';
import { ambientOf } from '../scopes/here.js';
import { Lease, leaseRunner } from './connection-lease.js';
import { overrideMember } from '../typeorm/override-member.js';
import { isPglite, type PostgresConnection } from './pglite.js';
import { sharedView } from '../typeorm/shared-view.js';

type Release = (error?: unknown) => void;
type Obtained = [connection: PostgresConnection, release: Release];

/** The shared connection, and the number of its users. */
interface Shared {
  readonly obtained: Promise<Obtained>;
  users: number;
  isReleased?: boolean;
}

interface PostgresDriver {
  readonly postgres: { readonly Pool: object };
  readonly master?: unknown;
  createQueryRunner(mode: 'master' | 'slave'): QueryRunner;
  obtainMasterConnection(): Promise<Obtained>;
}

interface PostgresRunner extends QueryRunner {
  releasePostgresConnection(error?: unknown): Promise<void>;
}

const BEGINS = /^\s*(?:begin|start\s+transaction)\b/i;
const ENDS = /^\s*(?:commit|end|abort|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i;

const recognised = new WeakSet<DataSource>();
/** The key is the function that makes the pools: all pools that it makes in this process share one database. */
const leases = new WeakMap<object, Lease>();

/** Whether the data source was found to be on PGlite; known before its first statement runs. */
export function isOnPglite(dataSource: DataSource): boolean {
  return recognised.has(dataSource);
}

/**
 * PGlite has one session for all connections: two transactions at once would be one. If a data source turns out to be
 * on it, its session is leased, and only one connection is opened. Any other PostgreSQL is left as it is.
 */
export function leasePglite(dataSource: DataSource): () => void {
  if (dataSource.options.type !== 'postgres') return () => undefined;
  const driver = dataSource.driver as unknown as PostgresDriver;
  const create = driver.createQueryRunner.bind(driver);
  const session = new Session(dataSource, driver);
  const undo = overrideMember(driver, 'createQueryRunner', (mode) => {
    if (session.isOther) return create(mode);
    const here = ambientOf(dataSource);
    if (session.lease && here?.kind === 'foreign' && here.runner.isTransactionActive) return sharedView(here.runner);
    const runner = create(mode) as PostgresRunner;
    return session.lease ? leased(runner, session.lease) : recognising(runner, session);
  });
  return () => {
    session.close();
    undo();
  };
}

/** Recognises the database before the runner's first statement. */
function recognising(runner: PostgresRunner, session: Session): QueryRunner {
  const first =
    (member: 'connect' | 'query') =>
    async (...args: unknown[]): Promise<unknown> => {
      await session.recognise();
      if (Object.hasOwn(runner, 'connect')) {
        Reflect.deleteProperty(runner, 'connect');
        Reflect.deleteProperty(runner, 'query');
        if (session.lease) leased(runner, session.lease);
      }
      return (runner[member] as (...args: unknown[]) => Promise<unknown>)(...args);
    };
  return Object.assign(runner, { connect: first('connect'), query: first('query') });
}

function leased(runner: PostgresRunner, lease: Lease): QueryRunner {
  let isOpen = false;
  return leaseRunner(runner, lease, {
    isInTransaction: () => isOpen,
    run: async (query, sql, ...rest) => {
      const result = await query(sql, ...rest);
      if (BEGINS.test(sql)) isOpen = true;
      // A failed COMMIT is followed by a ROLLBACK, which must not wait for another caller's transaction.
      else if (ENDS.test(sql)) isOpen = false;
      return result;
    },
    rollBack: async (query) => {
      try {
        await query('ROLLBACK');
      } catch (error) {
        await runner.releasePostgresConnection(error);
      } finally {
        isOpen = false;
      }
    },
  });
}

/** The one session, if the data source has only one. */
class Session {
  /** Whether the server is known not to be PGlite. */
  isOther = false;
  /** There is one once the server is known to be PGlite. */
  lease: Lease | undefined;
  #recognition: Promise<void> | undefined;
  #shared: Shared | undefined;
  #undo: (() => void) | undefined;
  readonly #obtain: PostgresDriver['obtainMasterConnection'];

  constructor(
    private readonly dataSource: DataSource,
    private readonly driver: PostgresDriver,
  ) {
    this.#obtain = driver.obtainMasterConnection.bind(driver);
  }

  recognise(): Promise<void> {
    if (this.isOther || this.lease) return Promise.resolve();
    this.#recognition ??= this.#ask().finally(() => (this.#recognition = undefined));
    return this.#recognition;
  }

  close(): void {
    this.#undo?.();
    recognised.delete(this.dataSource);
  }

  async #ask(): Promise<void> {
    const { driver } = this;
    const [connection, release] = await this.#obtain();
    try {
      if (!(await isPglite(connection))) {
        this.isOther = true;
        return;
      }
    } finally {
      release();
    }
    // If the pool is the connection itself, the database is in this process.
    const owner = (connection as unknown) === driver.master ? driver.postgres.Pool : this;
    this.lease = leases.get(owner) ?? new Lease();
    leases.set(owner, this.lease);
    recognised.add(this.dataSource);
    this.#undo = overrideMember(driver, 'obtainMasterConnection', () => this.#share());
  }

  /**
   * One connection for all, which goes back to the pool when it is unused: behind a socket there may be no second one.
   */
  async #share(): Promise<Obtained> {
    const shared = (this.#shared ??= { obtained: this.#obtain(), users: 0 });
    shared.users++;
    try {
      const [connection] = await shared.obtained;
      // Each query runner listens for its errors.
      connection.setMaxListeners?.(0);
      // On an older PGlite, this completes the replies on the connection.
      await isPglite(connection);
      return [connection, (error) => void this.#leave(shared, error)];
    } catch (error) {
      await this.#leave(shared, error).catch(() => undefined);
      throw error;
    }
  }

  async #leave(shared: Shared, error: unknown): Promise<void> {
    const isCurrent = this.#shared === shared;
    if (--shared.users > 0 && !error) return;
    if (isCurrent) this.#shared = undefined;
    const [, release] = await shared.obtained;
    if (!shared.isReleased) release(error);
    shared.isReleased = true;
  }
}
