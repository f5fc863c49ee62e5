import type { DataSource, EntityManager } from 'typeorm';
import { dialectOf } from '../dialects/dialect-of.js';
import { sharesConnection } from '../one-connection/shared-connection.js';
import { dataSourceOf } from '../typeorm/data-source.js';
import { ambientOf } from './here.js';
import type { Scope } from './scope.js';

/** Whether the caller's transaction is known to see what others commit while it is open. */
export function seesEveryCommit(dataSource: DataSource): boolean {
  const here = ambientOf(dataSource) as Scope | undefined;
  return (
    dialectOf(dataSource).hasOneWriter ||
    sharesConnection(dataSource) ||
    here?.transaction?.isolation === 'READ COMMITTED'
  );
}

/** Whether the manager's transaction may have a snapshot that hides what others have committed since. */
export async function hasSnapshot(manager: EntityManager): Promise<boolean> {
  const dataSource = dataSourceOf(manager);
  if (seesEveryCommit(dataSource) || !manager.queryRunner?.isTransactionActive) return false;
  return dialectOf(dataSource).hasSnapshot(manager);
}
