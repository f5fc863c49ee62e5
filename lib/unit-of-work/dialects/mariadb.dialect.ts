import type { QueryRunner } from 'typeorm';
import { isMariadb } from './is-mariadb.js';
import { MariadbConnection, type MysqlConnection } from './mariadb-connection.js';
import { MysqlDialect } from './mysql.dialect.js';

interface MariadbRunner extends QueryRunner {
  readonly databaseConnection?: MysqlConnection;
  connect(): Promise<MysqlConnection>;
}

export class MariadbDialect extends MysqlDialect {
  override async begin(runner: QueryRunner, start: () => Promise<void>): Promise<void> {
    if (!isMariadb(runner.dataSource)) return start();
    await (await connectionOf(runner)).holdBegin(start);
  }

  override async ready(runner: QueryRunner): Promise<void> {
    await (await connectionOf(runner)).begin();
  }

  override lostTransaction(runner: QueryRunner, error: unknown): boolean {
    const { databaseConnection } = runner as MariadbRunner;
    const isOutside = databaseConnection && MariadbConnection.of(databaseConnection).isOutside;
    return isOutside === true || super.lostTransaction(runner, error);
  }
}

async function connectionOf(runner: QueryRunner): Promise<MariadbConnection> {
  return MariadbConnection.of(await (runner as MariadbRunner).connect());
}
