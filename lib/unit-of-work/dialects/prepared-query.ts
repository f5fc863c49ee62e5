import { QueryResult, type QueryRunner } from 'typeorm';
import { isPlainlyLeased } from '../one-connection/sqlite-lease.js';
import { logged } from './direct-query.js';

/** A prepared statement of `better-sqlite3`. */
interface Statement {
  /** Whether it answers with rows. */
  readonly reader: boolean;
  all(...parameters: unknown[]): Record<string, unknown>[];
  run(...parameters: unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
}

/** TypeORM's query runner for `better-sqlite3`, which keeps the statements that it has prepared. */
interface SqliteRunner extends QueryRunner {
  readonly stmtCache: ReadonlyMap<string, Statement>;
}

/**
 * Runs a statement as TypeORM's query runner for SQLite does, with one promise in place of eleven. Undefined, and nothing was run, if it has not
 * been prepared yet, or if `runner.query` does more than lease the connection.
 */
export function preparedQuery(
  runner: QueryRunner,
  sql: string,
  parameters: unknown[],
): Promise<QueryResult> | undefined {
  if (runner.isReleased || !isPlainlyLeased(runner)) return undefined;
  const statement = (runner as SqliteRunner).stmtCache.get(sql);
  if (!statement) return undefined;
  // SQLite has no booleans.
  const values = parameters.map((value) => (typeof value === 'boolean' ? Number(value) : value));
  const log = logged(runner, sql, values);
  try {
    const result = run(statement, values);
    log.succeeded();
    return Promise.resolve(result);
  } catch (error) {
    return Promise.reject(log.failed(error));
  }
}

function run(statement: Statement, values: unknown[]): QueryResult {
  const result = new QueryResult();
  if (statement.reader) {
    result.raw = result.records = statement.all(...values);
  } else {
    const { changes, lastInsertRowid } = statement.run(...values);
    result.affected = changes;
    result.raw = lastInsertRowid;
  }
  return result;
}
