import { type QueryResult, type QueryRunner, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { databaseFault } from '../transaction/database-fault.js';
import type { SqlDialect } from './sql-dialect.js';

/** Transaction isolation as TypeORM names it. */
export type IsolationLevel = NonNullable<Parameters<QueryRunner['startTransaction']>[0]>;

// TypeORM 0.3 does not know SNAPSHOT.
const BY_STRENGTH: readonly string[] = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SNAPSHOT',
  'SERIALIZABLE',
];

/** Whether `requested` promises more than `actual`; an unknown level promises nothing. */
export function strongerIsolation(requested: IsolationLevel, actual: IsolationLevel = 'READ UNCOMMITTED'): boolean {
  return BY_STRENGTH.indexOf(requested) > BY_STRENGTH.indexOf(actual);
}

/**
 * The isolation that the application's transaction was begun with: `'none'` if it asked for none, undefined if it is
 * not known.
 */
export type BegunWith = IsolationLevel | 'none' | undefined;

/** What became of a COMMIT. */
export interface CommitAnswer {
  readonly acknowledged: boolean;
  /** Why the database rolled back instead, though it reported no error. */
  readonly refusal?: string;
  /** The driver's result of the statement. */
  readonly reply?: unknown;
  /** The error of the statement, or of a subscriber before or after it. */
  readonly error?: unknown;
  /**
   * Whether the error came before the last statement was acknowledged. If that failed, the COMMIT was not run; if the
   * connection was lost, it may have been.
   */
  readonly isBefore?: boolean;
}

/** Whether a COMMIT that was not acknowledged may still have been done. */
export function commitMayStand({ error }: CommitAnswer): boolean {
  // A runner that was released before COMMIT could be sent did not commit.
  const sent = !(error instanceof QueryRunnerAlreadyReleasedError);
  return sent && databaseFault(error) === 'lost';
}

/** A statement that is followed only by the COMMIT, so that both can be sent together. */
export interface LastStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** The result that the statement reports by failing with this error of the driver; undefined if it is a fault. */
  refusal(error: unknown): Error | undefined;
  /** The error for the caller of the unit when the statement fails with this error. */
  errorOf(error: unknown): unknown;
  /**
   * Called once: when the statement has succeeded, or with why it did not, which may be that the unit was rolled back.
   */
  onEnd?(failure?: { readonly error: unknown }): void;
}

/** TypeORM's way to begin a transaction. */
export type Start = (isolation: IsolationLevel | undefined) => Promise<void>;

/**
 * The differences between databases. The unit of work must be sure of a transaction's state, and a promise that the
 * driver resolves is not proof enough.
 */
export interface Dialect extends SqlDialect {
  /** The isolation of a transaction when none was asked for. */
  readonly defaultIsolation: IsolationLevel;
  /** The isolation to ask for at BEGIN; undefined leaves the database's default. */
  isolation(requested: IsolationLevel | undefined, configured: IsolationLevel | undefined): IsolationLevel | undefined;
  /** The isolation of the application's transaction that the runner is in; undefined where it cannot be found out. */
  isolationOf(runner: QueryRunner, begunWith: BegunWith): Promise<IsolationLevel | undefined>;
  /** Begins a transaction that is the unit's own; it may reach the server with the first statement. */
  begin(runner: QueryRunner, start: Start, isolation?: IsolationLevel): Promise<void>;
  /** Runs a statement through the runner. */
  query(runner: QueryRunner, sql: string, parameters?: unknown[]): Promise<QueryResult>;
  /** Runs a statement of the library itself, which awaits it. */
  send(runner: QueryRunner, sql: string, parameters: unknown[]): Promise<QueryResult>;
  /** Makes sure that the transaction has begun on the server, before a statement is sent past the query runner. */
  ready(runner: QueryRunner): Promise<void>;
  /**
   * Whether this statement would begin or end the transaction, behind the unit's back; it is refused before it runs.
   */
  endsTransaction(sql: string): boolean;
  /** Whether this error left the connection without its transaction, so that the next statement would autocommit. */
  lostTransaction(runner: QueryRunner, error: unknown): boolean;
  /**
   * Whether a statement that succeeded ended the transaction, as DDL does on MySQL. `result` is TypeORM's QueryResult,
   * if any.
   */
  endedTransaction(runner: QueryRunner, result: unknown): boolean;
  /** Calls `commit`, which commits the runner's transaction, and returns what became of it. Never throws. */
  commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer>;
  /**
   * Sends the statement and the COMMIT of the runner's transaction together: where the statement fails, the server does
   * not run the COMMIT. None if they have to be sent one after the other.
   */
  commitWith(runner: QueryRunner): ((last: LastStatement) => Promise<CommitAnswer>) | undefined;
  /** Gives the connection up instead of handing it back to the pool. */
  destroy(runner: QueryRunner): Promise<void>;
}
