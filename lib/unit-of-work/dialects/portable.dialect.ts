import type { EntityManager, QueryResult, QueryRunner } from 'typeorm';
import { isConnectionLost } from '../transaction/database-fault.js';
import { setDepth } from '../transaction/transaction-state.js';
import type { BegunWith, CommitAnswer, Dialect, IsolationLevel, Start } from './dialect.js';
import type { Bind, DatabaseFamily, SqlDialect } from './sql-dialect.js';
import { controlsTransaction } from './transaction-control.js';

const TIMES = new Set(['date', 'time', 'datetime', 'timestamp']);
// The change to summer time leaves an hour of local times out, and the end of it has one twice.
const SUMMER_TIME = 3_600_000;

/** The behaviour for any database that TypeORM knows. */
export class PortableDialect implements Dialect {
  readonly family: DatabaseFamily = 'other';
  readonly defaultIsolation: IsolationLevel = 'READ COMMITTED';
  readonly hasOneWriter: boolean = false;
  readonly hasNamedLocks: boolean = false;
  readonly locksLatest: boolean = false;
  readonly locksNeighbours: boolean = false;
  readonly forUpdate: string = '';
  readonly forShare: string | undefined = undefined;
  readonly keyShareLock: SqlDialect['keyShareLock'] = 'pessimistic_read';
  readonly isStrict: boolean = false;
  readonly comparesExactly: boolean = true;
  readonly indexesRowValues: boolean = true;
  readonly uniquesAreIndexes: boolean = false;
  readonly poolSizeOption: string = 'connectionLimit';

  isolation(requested: IsolationLevel | undefined, _configured?: IsolationLevel): IsolationLevel | undefined {
    return requested;
  }

  isolationOf(_runner: QueryRunner, begunWith: BegunWith): Promise<IsolationLevel | undefined> {
    return Promise.resolve(begunWith === 'none' ? undefined : begunWith);
  }

  begin(_runner: QueryRunner, start: Start, isolation?: IsolationLevel): Promise<void> {
    return start(isolation);
  }

  query(runner: QueryRunner, sql: string, parameters?: unknown[]): Promise<QueryResult> {
    return runner.query(sql, parameters, true);
  }

  send(runner: QueryRunner, sql: string, parameters: unknown[]): Promise<QueryResult> {
    return this.query(runner, sql, parameters);
  }

  ready(_runner: QueryRunner): Promise<void> {
    return Promise.resolve();
  }

  endsTransaction(sql: string): boolean {
    return controlsTransaction(sql);
  }

  lostTransaction(_runner: QueryRunner, error: unknown): boolean {
    return isConnectionLost(error);
  }

  endedTransaction(_runner: QueryRunner, _result: unknown): boolean {
    return false;
  }

  commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
    return observedCommit(runner, commit);
  }

  commitWith(_runner: QueryRunner): ReturnType<Dialect['commitWith']> {
    return undefined;
  }

  destroy(runner: QueryRunner): Promise<void> {
    return runner.release();
  }

  skipsLocked(_version: string | undefined): boolean {
    return false;
  }

  hasSnapshot(_manager: EntityManager): Promise<boolean> {
    return Promise.resolve(false);
  }

  typed(sql: string, _type: string): string {
    return sql;
  }

  selected(column: string, _type: string): string {
    return column;
  }

  exactText(column: string, type: string): string | undefined {
    return TIMES.has(type) ? `CAST(${column} AS char)` : undefined;
  }

  isOneOf(column: string, _type: string, values: readonly string[], bind: Bind): string {
    return `${column} IN (${bind(values)})`;
  }

  moment(milliseconds: number, bind: Bind): string {
    return `NOW(6) - INTERVAL ${bind((Date.now() - milliseconds + SUMMER_TIME) * 1_000)} MICROSECOND`;
  }

  month(milliseconds: string): string {
    return `strftime('%Y-%m', ${milliseconds} / 1000, 'unixepoch')`;
  }

  orAdd(table: string, key: readonly string[], added: Readonly<Record<string, string>>): string {
    const sums = Object.entries(added).map(([column, value]) => `${column} = ${table}.${column} + ${value}`);
    return `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${sums.join(', ')}`;
  }
}

/** Notes whether the COMMIT was acknowledged, even if a subscriber fails on hearing of it. */
export async function observedCommit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
  const { broadcaster } = runner;
  const { broadcastAfterQueryEvent } = broadcaster;
  let acknowledged = false;
  let reply: unknown;
  broadcaster.broadcastAfterQueryEvent = (...event) => {
    const [, sql, , success, , raw] = event;
    if (sql === 'COMMIT' && success) {
      acknowledged = true;
      reply = raw as unknown;
    }
    broadcastAfterQueryEvent.apply(broadcaster, event);
  };
  try {
    await commit();
    return { acknowledged, reply };
  } catch (error) {
    if (acknowledged) {
      // TypeORM notes the end of the transaction only after all subscribers have.
      Object.assign(runner, { isTransactionActive: false });
      setDepth(runner, 0);
    }
    return { acknowledged, reply, error };
  } finally {
    broadcaster.broadcastAfterQueryEvent = broadcastAfterQueryEvent;
  }
}
