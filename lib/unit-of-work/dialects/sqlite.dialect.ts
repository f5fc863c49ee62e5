import type { QueryRunner } from 'typeorm';
import type { IsolationLevel } from './dialect.js';
import { PortableDialect } from './portable.dialect.js';
import { dataSourceOf } from '../typeorm/connected.js';

interface SqliteDriver {
  databaseConnection: { inTransaction: boolean };
}

export class SqliteDialect extends PortableDialect {
  override readonly defaultIsolation = 'SERIALIZABLE';

  // A SQLite transaction is serializable; TypeORM's driver refuses the names it does not know.
  override isolation(): IsolationLevel | undefined {
    return undefined;
  }

  override isolationOf(): Promise<IsolationLevel> {
    return Promise.resolve(this.defaultIsolation);
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
