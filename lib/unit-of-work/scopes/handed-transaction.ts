import { type DataSource, EntityManager, type QueryRunner, Repository } from 'typeorm';
import { ambientOf } from './here.js';
import { isFacade } from '../typeorm/runner-facade.js';
import { realRunner } from '../typeorm/shared-view.js';
import { dataSourceOf } from '../typeorm/data-source.js';

/** Whether one of the arguments is in an open transaction of the data source that a unit opened here would not join. */
export function isHandedOtherTransaction(dataSource: DataSource, args: readonly unknown[]): boolean {
  return args.some((arg) => {
    const runner = runnerOf(arg);
    if (!runner?.isTransactionActive || dataSourceOf(runner) !== dataSource || isFacade(runner)) return false;
    const here = ambientOf(dataSource);
    return realRunner(runner) !== (here?.kind === 'scope' ? here.transaction.runner : here?.runner);
  });
}

function runnerOf(value: unknown): QueryRunner | undefined {
  if (value instanceof EntityManager) return value.queryRunner;
  return value instanceof Repository ? value.manager.queryRunner : undefined;
}
