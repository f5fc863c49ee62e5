import { type EntitySubscriberInterface, QueryFailedError, QueryResult, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../typeorm/data-source.js';

/** The reply of `pg` to a statement. */
export interface PgAnswer {
  readonly command?: string;
  readonly rows?: Record<string, unknown>[];
  readonly rowCount?: number | null;
}

interface PostgresRunner extends QueryRunner {
  readonly databaseConnection?: { query(sql: string, parameters?: readonly unknown[]): Promise<PgAnswer> };
}

type Listened = 'start' | 'commit';

type Event = keyof EntitySubscriberInterface;

const OF_STATEMENTS: readonly Event[] = ['beforeQuery', 'afterQuery'];
const OF_STARTS: readonly Event[] = ['beforeTransactionStart', 'afterTransactionStart'];
const OF_COMMITS: readonly Event[] = ['beforeTransactionCommit', 'afterTransactionCommit'];

/**
 * Whether a statement may go to the driver past TypeORM's query runner: no subscriber listens, this runner's `query()`
 * was not overridden, and it is connected.
 */
export function isUnheard(runner: QueryRunner, what?: Listened): boolean {
  return (
    (runner as PostgresRunner).databaseConnection !== undefined &&
    !runner.isReleased &&
    !Object.hasOwn(runner, 'query') &&
    !isListenedTo(runner, what)
  );
}

/** Whether a subscriber hears of statements, or of the other given events. */
export function isListenedTo(runner: QueryRunner, what?: Listened): boolean {
  const more = what === 'start' ? OF_STARTS : what === 'commit' ? OF_COMMITS : [];
  return dataSourceOf(runner).subscribers.some((subscriber) =>
    [...OF_STATEMENTS, ...more].some((event) => subscriber[event]),
  );
}

/**
 * Runs a statement as TypeORM's query runner for PostgreSQL does, but with one promise instead of eight if no
 * subscriber listens.
 */
export function directQuery(runner: QueryRunner, sql: string, parameters?: unknown[]): Promise<QueryResult> {
  const isPlain = parameters === undefined || Array.isArray(parameters);
  if (!isPlain || !isUnheard(runner)) return runner.query(sql, parameters, true);
  return answerTo(runner, sql, parameters, resultOf);
}

/** Sends the statement to the driver; the log, and the error, are those of TypeORM's query runner. */
export function answerTo<T>(
  runner: QueryRunner,
  sql: string,
  parameters: unknown[] | undefined,
  read: (answer: PgAnswer) => T,
): Promise<T> {
  const { databaseConnection } = runner as Required<PostgresRunner>;
  const log = logged(runner, sql, parameters);
  return databaseConnection.query(sql, parameters).then(
    (answer) => {
      log.succeeded();
      return read(answer);
    },
    (error: unknown) => {
      throw log.failed(error);
    },
  );
}

/** Logs a statement as TypeORM's query runners do: before it is sent, and how it ended. */
export function logged(runner: QueryRunner, sql: string, parameters: unknown[] | undefined): StatementLog {
  const { logger, options } = dataSourceOf(runner);
  logger.logQuery(sql, parameters, runner);
  const start = Date.now();
  return {
    succeeded() {
      const { maxQueryExecutionTime } = options;
      if (!maxQueryExecutionTime) return;
      const took = Date.now() - start;
      if (took > maxQueryExecutionTime) logger.logQuerySlow(took, sql, parameters, runner);
    },
    failed(error) {
      logger.logQueryError(error as Error, sql, parameters, runner);
      return new QueryFailedError(sql, parameters, error as Error);
    },
  };
}

interface StatementLog {
  succeeded(): void;
  /** Gives the error as TypeORM throws it. */
  failed(error: unknown): QueryFailedError;
}

function resultOf({ command, rows, rowCount }: PgAnswer): QueryResult {
  const result = new QueryResult();
  if (rows !== undefined) result.records = rows;
  if (rowCount !== undefined) result.affected = rowCount as number;
  result.raw = command === 'DELETE' || command === 'UPDATE' ? [rows, rowCount] : rows;
  return result;
}
