import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { ambientNode, within } from '../scopes/ambient.js';
import { ambientOf, scopeHere } from '../scopes/here.js';
import type { BegunWith, IsolationLevel } from '../dialects/dialect.js';
import { Line, lineOf } from '../mutex.js';
import { Scope } from '../scopes/scope.js';
import { leaseConnection, sharesConnection } from '../one-connection/shared-connection.js';
import type { ForeignTransaction } from '../transaction/foreign-transaction.js';
import { depthOf } from '../transaction/transaction-state.js';
import { readAuthoritatively } from './query-builders.js';
import { quietManager, quietOnceEnded } from './quiet.js';
import { createFacade, isFacade, type RunnerFacade, scopeOf } from './runner-facade.js';
import { realRunner } from './shared-view.js';
import { overrideMember } from './override-member.js';
import { dataSourceOf, keepWith, keptWith } from './data-source.js';

type Work = (manager: EntityManager) => Promise<unknown>;
type Transaction = (this: EntityManager, first: IsolationLevel | Work | undefined, second?: Work) => Promise<unknown>;

/** TypeORM's original `createQueryRunner()`, for the library's own use, and the removal of the override. */
export interface DataSourceOverride {
  createQueryRunner: DataSource['createQueryRunner'];
  /** Whether it has other users, too. */
  isShared(): boolean;
  /** Removes the override once all its users have released it. */
  remove(): void;
}

/** What a user of the override does about the end of the data source. */
export interface OverrideUser {
  /** Called before the end. */
  before(): Promise<void>;
  /** Called after the end, also if that has failed. */
  after(): void;
  /** Called before another one uses the override. */
  giveWay(): void;
}

interface Installed {
  users: Set<OverrideUser>;
  createQueryRunner: DataSource['createQueryRunner'];
  restore: (() => void)[];
}

const INSTALLED = Symbol('nestjs-files:override');

/**
 * Makes everything that TypeORM does through this data source take part in the unit of work it is called in: TypeORM
 * asks `dataSource.createQueryRunner()` for every operation that was not given a query runner.
 */
export function overrideDataSource(dataSource: DataSource, user: OverrideUser): DataSourceOverride {
  for (const { giveWay } of keptWith<Installed>(dataSource, INSTALLED)?.users ?? []) giveWay();
  const entry = keptWith<Installed>(dataSource, INSTALLED) ?? install(dataSource);
  keepWith(dataSource, INSTALLED, entry);
  entry.users.add(user);
  return {
    createQueryRunner: entry.createQueryRunner,
    isShared: () => entry.users.size > 1,
    remove: () => {
      if (!entry.users.delete(user) || entry.users.size > 0) return;
      keepWith(dataSource, INSTALLED, undefined);
      for (const restore of entry.restore) restore();
    },
  };
}

function install(dataSource: DataSource): Installed {
  const createQueryRunner = dataSource.createQueryRunner.bind(dataSource);
  // Read only here, because typeorm-transactional returns another manager inside its transactions.
  const { manager } = dataSource;
  const createEntityManager = dataSource.createEntityManager.bind(dataSource);
  const users = new Set<OverrideUser>();
  const destroy = dataSource.destroy.bind(dataSource);
  const query = dataSource.query.bind(dataSource) as (...args: unknown[]) => Promise<unknown>;
  const restore = [
    leaseConnection(dataSource),
    // TypeORM's `destroy()` ends open transactions within milliseconds. So `before()` waits for open units first.
    overrideMember(dataSource, 'destroy', async () => {
      const around = [...users];
      await Promise.all(around.map(({ before }) => before()));
      try {
        await destroy();
      } finally {
        for (const { after } of around) after();
      }
    }),
    readAuthoritatively(dataSource),
    overrideMember(dataSource, 'createQueryRunner', (mode) => {
      const here = ambientOf(dataSource);
      if (here?.kind !== 'scope') return createQueryRunner(mode);
      here.assertActive('A statement was sent');
      return createFacade(here);
    }),
    overrideMember(dataSource, 'createEntityManager', (runner?: QueryRunner) => {
      const created = createEntityManager(runner);
      quietManager(created, nestTransaction);
      return created;
    }),
    quietManager(manager, nestTransaction),
    overrideMember(dataSource, 'query', ((...args: Parameters<DataSource['query']>) =>
      quietOnceEnded(scopeHere(), query(...args))) as DataSource['query']),
    // This function must not be async: it would return a second promise, whose rejection nobody might handle.
    overrideMember(dataSource, 'transaction', ((...args: Parameters<Transaction>) =>
      (manager.transaction as Transaction).call(manager, ...args)) as DataSource['transaction']),
  ];
  return { users, createQueryRunner, restore };
}

/**
 * Inside a unit, runs `manager.transaction()` as a nested scope. Outside of units, notes the transaction while its
 * callback runs, so that decorated calls can join it.
 */
function nestTransaction(manager: EntityManager, own: Transaction, args: unknown[]): Promise<unknown> {
  const dataSource = dataSourceOf(manager);

  const begin = async (first: IsolationLevel | Work, second?: Work): Promise<unknown> => {
    const [isolation, work] = typeof first === 'function' ? [undefined, first] : [first, second];
    // Without a callback, TypeORM throws its own error.
    if (!work) return own.call(manager, first, second);
    const { queryRunner } = manager;
    const here = ambientOf(dataSource);
    if (isFacade(queryRunner)) return nested(scopeOf(queryRunner), queryRunner, own, isolation, work);
    const real = queryRunner && realRunner(queryRunner);
    if (here?.kind === 'scope' && (!real || real === here.transaction.runner)) {
      return nested(here, undefined, own, isolation, work);
    }
    const isPart = here?.kind === 'foreign' && (real ? real === here.runner : sharesConnection(dataSource));
    return noted(manager, own, isPart ? here : undefined, isolation, work);
  };

  const { queryRunner } = manager;
  const here = isFacade(queryRunner) ? scopeOf(queryRunner) : ambientOf(dataSource);
  return quietOnceEnded(here, begin(...(args as Parameters<typeof begin>)));
}

/** Runs a transaction of TypeORM, and notes it while `work` runs. `around` is the transaction that it is part of. */
function noted(
  manager: EntityManager,
  own: Transaction,
  around: ForeignTransaction | undefined,
  isolation: IsolationLevel | undefined,
  work: Work,
): Promise<unknown> {
  const run = (): Promise<unknown> =>
    own.call(manager, isolation, (inner) => {
      const runner = realRunner(inner.queryRunner as QueryRunner);
      const line = around ? new Line() : lineOf(runner);
      const node = {
        kind: 'foreign',
        enclosing: ambientNode(),
        dataSource: dataSourceOf(manager),
        runner,
        isolation: around ? around.isolation : begunBy(runner, isolation),
        line,
      } as const;
      return within(node, async () => {
        const result = await work(inner);
        line.finish();
        return result;
      });
    });
  return around ? around.line.enter(run) : run();
}

/** The isolation of the runner's transaction, if `manager.transaction()` has begun it. */
function begunBy(runner: QueryRunner, isolation: IsolationLevel | undefined): BegunWith {
  if (depthOf(runner) > 1) return undefined;
  return isolation ?? (dataSourceOf(runner).options as { isolationLevel?: IsolationLevel }).isolationLevel ?? 'none';
}

function nested(
  outer: Scope,
  through: RunnerFacade | undefined,
  own: Transaction,
  isolation: IsolationLevel | undefined,
  work: Work,
): Promise<unknown> {
  return outer.nest(async () => {
    const runner = through ?? createFacade(outer);
    const scope = new Scope(outer.transaction, outer, ambientNode(), runner);
    // TypeORM's own, which opens and ends the savepoint through the runner.
    const run = (): Promise<unknown> =>
      own.call(runner.manager, isolation, async (manager) => {
        const result = await work(manager);
        scope.finish();
        return result;
      });
    let undone = true;
    try {
      const result = await within(scope, run);
      undone = false;
      return result;
    } finally {
      scope.abandon();
      scope.passEffects(undone);
      if (!through) await runner.release();
    }
  });
}
