import { type EntityManager, QueryFailedError, type QueryResult, type QueryRunner } from 'typeorm';
import type { CommitAnswer, IsolationLevel, LastStatement, Start } from './dialect.js';
import { answerTo, directQuery, isUnheard, type PgAnswer } from './direct-query.js';
import { observedCommit, PortableDialect } from './portable.dialect.js';
import { type PgClient, PostgresClient } from './postgres-client.js';
import type { Bind } from './sql-dialect.js';
import { dataSourceOf } from '../typeorm/data-source.js';
import { isOnPglite } from '../one-connection/pglite-lease.js';
import { depthOf, setDepth } from '../transaction/transaction-state.js';

interface PostgresRunner extends QueryRunner {
  readonly databaseConnection?: PgClient;
  connect(): Promise<PgClient>;
  readonly releaseCallback?: (error: Error) => void;
  releasePostgresConnection(error?: Error): Promise<void>;
}

const ARRAY_TYPES: Readonly<Record<string, string>> = {
  uuid: 'uuid',
  text: 'text',
  'character varying': 'text',
  character: 'bpchar',
  smallint: 'smallint',
  integer: 'integer',
  bigint: 'bigint',
};

export class PostgresDialect extends PortableDialect {
  override readonly family = 'postgres';
  override readonly hasNamedLocks = true;
  // A row of another table with a foreign key to this one must not wait.
  override readonly forUpdate = ' FOR NO KEY UPDATE';
  override readonly keyShareLock = 'for_key_share';
  override readonly isStrict = true;
  override readonly poolSizeOption = 'max';

  // The options, the role, the database or the server may have another default. Asking costs nothing: it goes with
  // BEGIN.
  override isolation(requested?: IsolationLevel): IsolationLevel {
    return requested ?? 'READ COMMITTED';
  }

  override async isolationOf(runner: QueryRunner): Promise<IsolationLevel | undefined> {
    const [row] = (await runner.query('SHOW transaction_isolation')) as [{ transaction_isolation: string }];
    return row.transaction_isolation.toUpperCase() as IsolationLevel;
  }

  override begin(runner: QueryRunner, start: Start, isolation?: IsolationLevel): Promise<void> {
    return clientOf(runner).then((client) => {
      if (!client) return start(isolation);
      return isolation === 'READ COMMITTED'
        ? beginAt(isolation, runner, client, start)
        : client.holdBegin(() => start(isolation));
    });
  }

  override query(runner: QueryRunner, sql: string, parameters?: unknown[]): Promise<QueryResult> {
    return directQuery(runner, sql, parameters);
  }

  override async ready(runner: QueryRunner): Promise<void> {
    await (await clientOf(runner))?.begin();
  }

  override lostTransaction(runner: QueryRunner, error: unknown): boolean {
    const { databaseConnection } = runner as PostgresRunner;
    const isOutside = databaseConnection && wrapped(runner, databaseConnection)?.isOutside;
    return isOutside === true || super.lostTransaction(runner, error);
  }

  // A text of several statements may have ended it. The status is stale after an error, not after a success.
  override endedTransaction(runner: QueryRunner): boolean {
    return (runner as PostgresRunner).databaseConnection?.getTransactionStatus?.() === 'I';
  }

  // COMMIT of a failed transaction succeeds with the command tag ROLLBACK, and TypeORM drops the tag:
  // https://www.postgresql.org/docs/current/sql-commit.html
  override async commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
    const isDirect = depthOf(runner) === 1 && isUnheard(runner, 'commit');
    const answer = await (isDirect ? directCommit(runner) : observedCommit(runner, commit));
    return answer.acknowledged ? judged(answer, (answer.reply as PgAnswer | undefined)?.command) : answer;
  }

  override commitWith(runner: QueryRunner): ((last: LastStatement) => Promise<CommitAnswer>) | undefined {
    const { databaseConnection } = runner as PostgresRunner;
    if (!databaseConnection || depthOf(runner) !== 1 || !isUnheard(runner, 'commit')) return undefined;
    const client = wrapped(runner, databaseConnection);
    return client?.canCommitWith ? (last) => commitTogether(runner, client, last) : undefined;
  }

  // pg-pool destroys a client that is released with an error.
  override async destroy(runner: QueryRunner): Promise<void> {
    const postgres = runner as PostgresRunner;
    // Every connection has the same session, so the transaction is rolled back.
    if (isOnPglite(dataSourceOf(runner))) return runner.release();
    const error = new Error('its transaction may still be open');
    // A runner that was given up while it waited for the pool still gets its connection, and TypeORM would keep it for
    // ever.
    if (postgres.releaseCallback) Object.assign(postgres, { isReleased: false });
    await postgres.releasePostgresConnection(error);
  }

  override skipsLocked(): boolean {
    return true;
  }

  // Most transactions of the application run at READ COMMITTED, too, and then nothing has to be read twice.
  override async hasSnapshot(manager: EntityManager): Promise<boolean> {
    const [level] = await manager.query<{ is: string }[]>(`SELECT current_setting('transaction_isolation') AS "is"`);
    return level?.is !== 'read committed';
  }

  // The branches of a CASE are texts to it, and it does not take texts for ids.
  override typed(sql: string, type: string): string {
    return `CAST(${sql} AS ${type})`;
  }

  override exactText(column: string): string {
    return `CAST(${column} AS text)`;
  }

  override isOneOf(column: string, type: string, values: readonly string[], bind: Bind): string {
    const array = ARRAY_TYPES[type];
    return array === undefined
      ? `CAST(${column} AS text) = ANY(${bind(values)}::text[])`
      : `${column} = ANY(${bind(values)}::${array}[])`;
  }

  override moment(milliseconds: number, bind: Bind): string {
    return `now() - CAST(${bind(Date.now() - milliseconds)} AS double precision) * interval '1 millisecond'`;
  }

  override month(milliseconds: string): string {
    return `to_char(to_timestamp(${milliseconds} / 1000) AT TIME ZONE 'UTC', 'YYYY-MM')`;
  }
}

/**
 * Begins with one statement. TypeORM would make two, BEGIN and the isolation level, which both pass all of its layers
 * before they are held back.
 */
function beginAt(
  isolation: IsolationLevel,
  runner: QueryRunner,
  client: PostgresClient,
  start: Start,
): Promise<void> | void {
  if (depthOf(runner) > 0 || !client.canHold || !isUnheard(runner, 'start'))
    return client.holdBegin(() => start(undefined), isolation);
  dataSourceOf(runner).logger.logQuery(client.hold(isolation), undefined, runner);
  Object.assign(runner, { isTransactionActive: true });
  setDepth(runner, 1);
}

function judged(answer: CommitAnswer, tag: string | undefined): CommitAnswer {
  if (tag === 'COMMIT') return answer;
  const refusal = `a statement failed, its error was swallowed, and PostgreSQL answered COMMIT with ${tag}`;
  return { acknowledged: false, refusal };
}

function commitTogether(runner: QueryRunner, client: PostgresClient, last: LastStatement): Promise<CommitAnswer> {
  const { sql, parameters } = last;
  const { logger } = dataSourceOf(runner);
  logger.logQuery(sql, parameters as unknown[], runner);
  logger.logQuery('COMMIT', undefined, runner);
  return client.commitWith(sql, parameters).then(({ tag, error, isBefore }) => {
    if (error === undefined) {
      Object.assign(runner, { isTransactionActive: false });
      setDepth(runner, 0);
      return judged({ acknowledged: true }, tag);
    }
    const failed = isBefore ? sql : 'COMMIT';
    const values = isBefore ? (parameters as unknown[]) : undefined;
    const isRefusal = isBefore && last.refusal(error) !== undefined;
    if (!isRefusal) logger.logQueryError(error as Error, failed, values, runner);
    return { acknowledged: false, isBefore, error: new QueryFailedError(failed, values, error as Error) };
  });
}

function directCommit(runner: QueryRunner): Promise<CommitAnswer> {
  return answerTo(runner, 'COMMIT', undefined, (reply) => reply).then(
    (reply) => {
      Object.assign(runner, { isTransactionActive: false });
      setDepth(runner, 0);
      return { acknowledged: true, reply };
    },
    (error: unknown) => ({ acknowledged: false, error }),
  );
}

function clientOf(runner: QueryRunner): Promise<PostgresClient | undefined> {
  return (runner as PostgresRunner).connect().then((client) => wrapped(runner, client));
}

/**
 * The wrapped client. Undefined on PGlite, where all runners share one client: a held-back BEGIN would be sent with
 * another caller's statements, and names of statements would clash.
 */
function wrapped(runner: QueryRunner, client: PgClient): PostgresClient | undefined {
  const dataSource = dataSourceOf(runner);
  return isOnPglite(dataSource) ? undefined : PostgresClient.of(dataSource, client);
}
