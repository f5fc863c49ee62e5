import type { QueryRunner } from 'typeorm';
import { observedCommit, type CommitAnswer, type IsolationLevel } from './dialect.js';
import { sendNames } from './named-statements.js';
import { PortableDialect } from './portable.dialect.js';

interface PostgresRunner extends QueryRunner {
  readonly databaseConnection?: Parameters<typeof sendNames>[1] & { getTransactionStatus?(): string | null };
  readonly releaseCallback?: (error: Error) => void;
  releasePostgresConnection(error?: Error): Promise<void>;
}

export class PostgresDialect extends PortableDialect {
  override isolation(requested?: IsolationLevel, configured?: IsolationLevel): IsolationLevel | undefined {
    return requested ?? (configured && 'READ COMMITTED');
  }

  override begun(runner: QueryRunner): void {
    const { databaseConnection } = runner as PostgresRunner;
    if (databaseConnection) sendNames(runner.dataSource, databaseConnection);
  }

  // A text of several statements may have ended it. The status is stale after an error, not after a success.
  override endedTransaction(runner: QueryRunner): boolean {
    return (runner as PostgresRunner).databaseConnection?.getTransactionStatus?.() === 'I';
  }

  // COMMIT of a failed transaction succeeds with the command tag ROLLBACK, and TypeORM drops the tag:
  // https://www.postgresql.org/docs/current/sql-commit.html
  override async commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
    const answer = await observedCommit(runner, commit);
    const tag = (answer.reply as { command?: string } | undefined)?.command;
    if (!answer.acknowledged || tag === 'COMMIT') return answer;
    const refusal = `a statement failed, its error was swallowed, and PostgreSQL answered COMMIT with ${tag}`;
    return { acknowledged: false, refusal };
  }

  // pg-pool destroys a client that is released with an error.
  override async destroy(runner: QueryRunner): Promise<void> {
    const postgres = runner as PostgresRunner;
    const error = new Error('its transaction may still be open');
    // A runner that was given up while it waited for the pool still gets its connection, and TypeORM would keep it for ever.
    if (postgres.releaseCallback) Object.assign(postgres, { isReleased: false });
    await postgres.releasePostgresConnection(error);
  }
}
