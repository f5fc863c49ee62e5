import type { QueryRunner } from 'typeorm';
import { overrideMember } from '../override-member.js';
import { observedCommit, type CommitAnswer, type IsolationLevel } from './dialect.js';
import { PortableDialect } from './portable.dialect.js';

interface PostgresClient {
  query(...args: unknown[]): Promise<{ command?: string } | undefined>;
}

interface PostgresRunner extends QueryRunner {
  releasePostgresConnection(error?: Error): Promise<void>;
}

export class PostgresDialect extends PortableDialect {
  override isolation(requested?: IsolationLevel, configured?: IsolationLevel): IsolationLevel | undefined {
    return requested ?? (configured && 'READ COMMITTED');
  }

  // COMMIT of a failed transaction succeeds with the command tag ROLLBACK, and TypeORM drops the tag:
  // https://www.postgresql.org/docs/current/sql-commit.html
  override async commit(runner: QueryRunner, commit: () => Promise<void>): Promise<CommitAnswer> {
    const client = (await runner.connect()) as PostgresClient;
    const send = client.query;
    let tag: string | undefined;
    const restore = overrideMember(client, 'query', async (...args) => {
      const answer = await send.apply(client, args);
      if (args[0] === 'COMMIT') tag = answer?.command;
      return answer;
    });
    try {
      const answer = await observedCommit(runner, commit);
      if (!answer.acknowledged || tag === 'COMMIT') return answer;
      const refusal = `a statement failed, its error was swallowed, and PostgreSQL answered COMMIT with ${tag}`;
      return { acknowledged: false, refusal };
    } finally {
      restore();
    }
  }

  override destroy(runner: QueryRunner): Promise<void> {
    // pg-pool destroys a client that is released with an error.
    return (runner as PostgresRunner).releasePostgresConnection(new Error('its transaction may still be open'));
  }
}
