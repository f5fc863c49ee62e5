import type { QueryRunner } from 'typeorm';
import { databaseFault } from '../transaction/database-fault.js';
import type { BegunWith, IsolationLevel } from './dialect.js';
import { PortableDialect } from './portable.dialect.js';
import { commitsImplicitly } from './transaction-control.js';

interface MysqlRunner {
  databaseConnection?: { destroy(): void };
  isReleased: boolean;
}

// https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html
const SERVER_STATUS_IN_TRANS = 1;

/** MySQL and MariaDB. */
export class MysqlDialect extends PortableDialect {
  // REPEATABLE READ reads stale rows and takes gap locks that deadlock even sorted writers.
  override isolation(requested?: IsolationLevel): IsolationLevel {
    return requested ?? 'READ COMMITTED';
  }

  // The isolation of a transaction cannot be read; the session has the default for transactions that ask for none.
  override async isolationOf(runner: QueryRunner, begunWith: BegunWith): Promise<IsolationLevel | undefined> {
    if (begunWith !== 'none') return begunWith;
    const sql = `SHOW VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')`;
    const [row] = (await runner.query(sql)) as [{ Value: string }];
    return row.Value.replace('-', ' ') as IsolationLevel;
  }

  override endsTransaction(sql: string): boolean {
    return commitsImplicitly(sql) || super.endsTransaction(sql);
  }

  // A deadlock rolls the whole transaction back; so may a lock timeout (innodb_rollback_on_timeout).
  override lostTransaction(runner: QueryRunner, error: unknown): boolean {
    const fault = databaseFault(error);
    return ['deadlock', 'serialization', 'lock-timeout'].includes(fault) || super.lostTransaction(runner, error);
  }

  override endedTransaction(_runner: QueryRunner, result: unknown): boolean {
    const status = (result as { raw?: { serverStatus?: unknown } | null } | undefined)?.raw?.serverStatus;
    return typeof status === 'number' && (status & SERVER_STATUS_IN_TRANS) === 0;
  }

  override destroy(runner: QueryRunner): Promise<void> {
    const mysql = runner as unknown as MysqlRunner;
    mysql.databaseConnection?.destroy();
    mysql.isReleased = true;
    return Promise.resolve();
  }
}
