import type { EntityManager, QueryRunner } from 'typeorm';
import { JoinedRunner } from '../typeorm/joined-runner.js';
import { homeOf, isFacade, sharedRunner } from '../typeorm/runner-facade.js';
import { realRunner } from '../typeorm/shared-view.js';
import type { TransactionState } from './transaction-state.js';
import { unitOf, type UnitOfWork } from '../unit-of-work.js';

/** A transaction of the database, whoever opened it. */
export interface OpenTransaction {
  readonly state: TransactionState;
  /** The unit of work whose transaction it is; none where the application opened it. */
  readonly unit: UnitOfWork | undefined;
  /** An entity manager in the transaction, until its COMMIT. */
  readonly manager: EntityManager;
}

/** The transaction that the query runner is in. */
export function openTransaction(runner: QueryRunner): OpenTransaction {
  const home = isFacade(runner) ? homeOf(runner) : undefined;
  const unit = home && unitOf(home)?.root;
  if (unit) return { state: unit.transactionState, unit, manager: unit.manager };
  const real = isFacade(runner) ? sharedRunner(runner) : realRunner(runner);
  return { state: JoinedRunner.of(real).state, unit: undefined, manager: real.manager };
}
