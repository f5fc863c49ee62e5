import type { QueryResult, QueryRunner } from 'typeorm';
import { isConnectionLost } from '../transaction/database-fault.js';
import { controlsTransaction } from './transaction-control.js';
import {
  type BegunWith,
  observedCommit,
  type CommitAnswer,
  type Dialect,
  type IsolationLevel,
  type Start,
} from './dialect.js';

/** The behaviour for any database that TypeORM knows. */
export class PortableDialect implements Dialect {
  readonly defaultIsolation: IsolationLevel = 'READ COMMITTED';

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
}
