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
  override readonly family = 'mysql';
  override readonly hasNamedLocks = true;
  override readonly locksLatest = true;
  override readonly locksNeighbours = true;
  override readonly forUpdate = ' FOR UPDATE';
  // For the type mysql TypeORM writes FOR SHARE, which a MariaDB server refuses. Both servers know this.
  override readonly forShare = ' LOCK IN SHARE MODE';
  // For most of its collations, texts that differ in case or in trailing spaces are equal.
  override readonly comparesExactly = false;
  override readonly indexesRowValues = false;
  override readonly uniquesAreIndexes = true;

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

  // MySQL from 8.0 on, MariaDB from 10.6 on. MySQL went from 5 to 8, and MariaDB is at 10 and above, so the version
  // tells them apart, whichever type the data source has.
  override skipsLocked(version = ''): boolean {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    return major === 8 || major === 9 || major > 10 || (major === 10 && minor >= 6);
  }

  override hasSnapshot(): Promise<boolean> {
    return Promise.resolve(true);
  }

  override month(milliseconds: string): string {
    return `DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL ${milliseconds} DIV 1000 SECOND), '%Y-%m')`;
  }

  override orAdd(_table: string, _key: readonly string[], added: Readonly<Record<string, string>>): string {
    const sums = Object.entries(added).map(([column, value]) => `${column} = ${column} + ${value}`);
    return `ON DUPLICATE KEY UPDATE ${sums.join(', ')}`;
  }
}
