import type { QueryRunner } from 'typeorm';
import { overrideMember } from '../override-member.js';

/** Transaction isolation as TypeORM names it. */
export type IsolationLevel = NonNullable<Parameters<QueryRunner['startTransaction']>[0]>;

const BY_STRENGTH: IsolationLevel[] = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SNAPSHOT',
  'SERIALIZABLE',
];

/** Whether `requested` promises more than `actual`; unknown levels promise nothing. */
export function strongerIsolation(requested?: IsolationLevel, actual?: IsolationLevel): boolean {
  if (!requested || !actual) return false;
  return BY_STRENGTH.indexOf(requested) > BY_STRENGTH.indexOf(actual);
}

/** What became of a COMMIT. */
export interface CommitAnswer {
  readonly acknowledged: boolean;
  /** Why the database rolled back instead, though it reported no error. */
  readonly refusal?: string;
  /** What was thrown: by the statement, or by a subscriber before or after it. */
  readonly error?: unknown;
}

/** What the unit of work must know of a database to take its word, where the driver's promise says less. */
export interface Dialect {
  /** What a transaction runs at when nothing was asked for. */
  readonly defaultIsolation: IsolationLevel;
  /** The isolation to ask for at BEGIN; undefined leaves the database's default. */
  isolation(requested: IsolationLevel | undefined, configured: IsolationLevel | undefined): IsolationLevel | undefined;
  /** Whether this error left the connection without its transaction, so that the next statement would autocommit. */
  lostTransaction(runner: QueryRunner, error: unknown): boolean;
  /** Whether a statement that succeeded ended the transaction, as DDL does on MySQL. `result` is TypeORM's QueryResult, if any. */
  endedTransaction(runner: QueryRunner, result: unknown): boolean;
  /** Calls `commit`, which is to commit the runner's transaction, and tells what the database answered. Never throws. */
  commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer>;
  /** Gives the connection up instead of handing it back to the pool. */
  destroy(runner: QueryRunner): Promise<void>;
}

/** Notes whether the COMMIT was acknowledged, whatever a subscriber did after it. */
export async function observedCommit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
  const query = runner.query;
  let acknowledged = false;
  const observed = async (...args: Parameters<QueryRunner['query']>): Promise<unknown> => {
    const result: unknown = await query.apply(runner, args);
    acknowledged ||= args[0] === 'COMMIT';
    return result;
  };
  const restore = overrideMember(runner, 'query', observed as QueryRunner['query']);
  try {
    await commit();
    return { acknowledged };
  } catch (error) {
    return { acknowledged, error };
  } finally {
    restore();
  }
}
