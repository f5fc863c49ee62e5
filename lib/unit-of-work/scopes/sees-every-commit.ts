import type { DataSource, EntityManager } from 'typeorm';
import { sharesConnection } from '../one-connection/shared-connection.js';
import { dataSourceOf, familyOf } from '../typeorm/data-source.js';
import { ambientOf } from './here.js';
import type { Scope } from './scope.js';

/** Whether the caller's transaction is known to see what others commit while it is open. */
export function seesEveryCommit(dataSource: DataSource): boolean {
  const here = ambientOf(dataSource) as Scope | undefined;
  return (
    familyOf(dataSource) === 'sqlite' ||
    sharesConnection(dataSource) ||
    here?.transaction?.isolation === 'READ COMMITTED'
  );
}

/** Whether the manager's transaction may have a snapshot that hides what others have committed since. */
export async function hasSnapshot(manager: EntityManager): Promise<boolean> {
  const dataSource = dataSourceOf(manager);
  if (seesEveryCommit(dataSource) || !manager.queryRunner?.isTransactionActive) return false;
  const family = familyOf(dataSource);
  if (family !== 'postgres') return family === 'mysql';
  // Most transactions of the application run at READ COMMITTED, too, and then nothing has to be read twice.
  const [level] = await manager.query<{ is: string }[]>(`SELECT current_setting('transaction_isolation') AS "is"`);
  return level?.is !== 'read committed';
}
