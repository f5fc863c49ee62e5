import { QueryResult, type QueryRunner } from 'typeorm';
import type { IsolationLevel, Start } from './dialect.js';
import { isListenedTo, logged } from './direct-query.js';
import { PortableDialect } from './portable.dialect.js';
import type { Bind } from './sql-dialect.js';
import { isPlainlyLeased } from '../one-connection/sqlite-lease.js';
import { depthOf, setDepth } from '../transaction/transaction-state.js';
import { dataSourceOf } from '../typeorm/data-source.js';

interface SqliteDriver {
  databaseConnection: { inTransaction: boolean };
}

/** A prepared statement of `better-sqlite3`. */
interface Statement {
  /** Whether it returns rows. */
  readonly reader: boolean;
  all(...parameters: unknown[]): Record<string, unknown>[];
  run(...parameters: unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
}

/** TypeORM's query runner for `better-sqlite3`, which keeps the statements that it has prepared. */
interface SqliteRunner extends QueryRunner {
  readonly stmtCache: ReadonlyMap<string, Statement>;
}

/** SQLite by any driver. */
export class SqliteDialect extends PortableDialect {
  override readonly family = 'sqlite';
  override readonly hasOneWriter = true;

  // https://sqlite.org/jsonb.html
  override typed(sql: string, type: string): string {
    return type === 'jsonb' ? `jsonb(${sql})` : sql;
  }

  // Something else may have written what is no JSON, and `json()` would fail: 2 stands for texts, and 8 for blobs.
  override selected(column: string, type: string): string {
    if (type !== 'jsonb') return column;
    return `CASE WHEN json_valid(${column}, 10) THEN json(${column}) ELSE ${column} END AS ${column}`;
  }

  override isOneOf(column: string, _type: string, values: readonly string[], bind: Bind): string {
    return `${column} IN (SELECT value FROM json_each(${bind(JSON.stringify(values))}))`;
  }

  override moment(milliseconds: number, bind: Bind): string {
    return bind(new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' '));
  }
}

/** SQLite by `better-sqlite3`. */
export class BetterSqliteDialect extends SqliteDialect {
  override readonly defaultIsolation = 'SERIALIZABLE';

  // A SQLite transaction is serializable; TypeORM's driver refuses the names it does not know.
  override isolation(): IsolationLevel | undefined {
    return undefined;
  }

  override isolationOf(): Promise<IsolationLevel> {
    return Promise.resolve(this.defaultIsolation);
  }

  // The transaction has the connection, so that nothing waits for a lock. The driver is synchronous: a statement of the
  // application that nobody awaits would have ended before the unit's end is asked for, and would not be seen there.
  override send(runner: QueryRunner, sql: string, parameters: unknown[]): Promise<QueryResult> {
    const isDirect = inTransaction(runner) && !isListenedTo(runner);
    return (isDirect && preparedQuery(runner, sql, parameters)) || this.query(runner, sql, parameters);
  }

  // TypeORM's own tells subscribers, and sets the isolation that the data source is configured with.
  override async begin(runner: QueryRunner, start: Start, isolation?: IsolationLevel): Promise<void> {
    const { isolationLevel } = dataSourceOf(runner).options as { isolationLevel?: IsolationLevel };
    const isPlain =
      depthOf(runner) === 0 && !isolationLevel && isPlainlyLeased(runner) && !isListenedTo(runner, 'start');
    if (!isPlain) return start(isolation);
    await runner.query('BEGIN TRANSACTION');
    Object.assign(runner, { isTransactionActive: true });
    setDepth(runner, 1);
  }

  // Some errors make the engine roll back: https://www.sqlite.org/lang_transaction.html
  override lostTransaction(runner: QueryRunner): boolean {
    return !inTransaction(runner);
  }

  override endedTransaction(runner: QueryRunner): boolean {
    return !inTransaction(runner);
  }
}

function inTransaction(runner: QueryRunner): boolean {
  return (dataSourceOf(runner).driver as unknown as SqliteDriver).databaseConnection.inTransaction;
}

/**
 * Runs a statement as TypeORM's query runner for SQLite does, with one promise in place of eleven. Undefined, and
 * nothing was run, if it has not been prepared yet, or if `runner.query` does more than lease the connection.
 */
function preparedQuery(runner: QueryRunner, sql: string, parameters: unknown[]): Promise<QueryResult> | undefined {
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
