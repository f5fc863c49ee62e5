import { type EntitySubscriberInterface, QueryFailedError, QueryResult, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../typeorm/connected.js';

/** What `pg` answers to a statement. */
export interface PgAnswer {
  readonly command?: string;
  readonly rows?: Record<string, unknown>[];
  readonly rowCount?: number | null;
}

interface PostgresRunner extends QueryRunner {
  readonly databaseConnection?: { query(sql: string, parameters?: readonly unknown[]): Promise<PgAnswer> };
}

type Event = keyof EntitySubscriberInterface;

const OF_STATEMENTS: readonly Event[] = ['beforeQuery', 'afterQuery'];
const OF_STARTS: readonly Event[] = ['beforeTransactionStart', 'afterTransactionStart'];
const OF_COMMITS: readonly Event[] = ['beforeTransactionCommit', 'afterTransactionCommit'];

/**
 * Whether nobody would notice if a statement went to the driver past TypeORM's query runner: no subscriber listens, this runner's `query()` was
 * not overridden, and it is connected.
 */
export function isUnheard(runner: QueryRunner, what?: 'start' | 'commit'): boolean {
  const { subscribers } = dataSourceOf(runner);
  const more = what === 'start' ? OF_STARTS : what === 'commit' ? OF_COMMITS : [];
  return (
    (runner as PostgresRunner).databaseConnection !== undefined &&
    !runner.isReleased &&
    !Object.hasOwn(runner, 'query') &&
    !subscribers.some((subscriber) => [...OF_STATEMENTS, ...more].some((event) => subscriber[event]))
  );
}

/** Runs a statement as TypeORM's query runner for PostgreSQL does, but where it is unheard with one promise in place of eight. */
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
  const { logger, options } = dataSourceOf(runner);
  const { databaseConnection } = runner as Required<PostgresRunner>;
  logger.logQuery(sql, parameters, runner);
  const start = Date.now();
  return databaseConnection.query(sql, parameters).then(
    (answer) => {
      const took = Date.now() - start;
      const { maxQueryExecutionTime } = options;
      if (maxQueryExecutionTime && took > maxQueryExecutionTime) logger.logQuerySlow(took, sql, parameters, runner);
      return read(answer);
    },
    (error: unknown) => {
      logger.logQueryError(error as Error, sql, parameters, runner);
      throw new QueryFailedError(sql, parameters, error as Error);
    },
  );
}

function resultOf({ command, rows, rowCount }: PgAnswer): QueryResult {
  const result = new QueryResult();
  if (rows !== undefined) result.records = rows;
  if (rowCount !== undefined) result.affected = rowCount as number;
  result.raw = command === 'DELETE' || command === 'UPDATE' ? [rows, rowCount] : rows;
  return result;
}
