import type { QueryRunner } from 'typeorm';
import { UnitAbortedError } from '../../errors/units.errors.js';
import { commitMayStand, type Dialect } from '../dialects/dialect.js';
import { overrideMember } from '../typeorm/override-member.js';
import { depthOf } from '../transaction/transaction-state.js';

type Outcome = 'commit' | 'rollback';

/** A joined unit that waits for the outcome of the transaction it was part of. */
interface Waiting {
  /** The number of transactions and savepoints around it. */
  depth: number;
  readonly run: (outcome: Outcome) => unknown;
  outcome: Outcome | 'unknown' | undefined;
}

const watched = new WeakMap<QueryRunner, Waiting[]>();

/**
 * Calls `run` when the application has ended the transaction it opened on this query runner and has released the
 * connection: earlier, a pool of one would have none left for it. Released without a commit counts as a rollback.
 */
export function onForeignEnd(runner: QueryRunner, dialect: Dialect, run: Waiting['run']): void {
  const waiting = watched.get(runner) ?? watch(runner, dialect);
  waiting.push({ depth: depthOf(runner), run, outcome: undefined });
}

/** Makes the application's transaction fail, whose connection is no longer in it: later writes would be committed at once. */
export function refuseStatements(runner: QueryRunner, error: UnitAbortedError): void {
  const restore = overrideMember(runner, 'query', ((sql: string, ...rest: unknown[]) => {
    if (sql === 'ROLLBACK') {
      restore();
      return runner.query(sql, ...(rest as []));
    }
    return Promise.reject(error);
  }) as QueryRunner['query']);
}

function watch(runner: QueryRunner, dialect: Dialect): Waiting[] {
  const waiting: Waiting[] = [];
  watched.set(runner, waiting);
  const { query, commitTransaction, rollbackTransaction, release } = runner;
  let isCommitting = false;

  const settle = (outcome: Outcome | 'unknown'): void => {
    // TypeORM takes a transaction for open if its COMMIT was lost, or has just been done.
    const depth = runner.isTransactionActive && outcome === 'rollback' ? depthOf(runner) : 0;
    for (const unit of waiting) if (unit.depth > depth) unit.outcome ??= outcome;
  };

  const commit = async (send: () => Promise<unknown>): Promise<void> => {
    const answer = await dialect.commit(runner, async () => void (await send()));
    if (answer.acknowledged) settle('commit');
    else settle(commitMayStand(answer) ? 'unknown' : 'rollback');
    if (answer.refusal !== undefined) throw new UnitAbortedError(answer.refusal);
    if (answer.error !== undefined) throw answer.error;
  };

  const restore = [
    overrideMember(runner, 'commitTransaction', async () => {
      if (depthOf(runner) > 1) {
        await commitTransaction.call(runner);
        // The work inside of the savepoint now belongs to the scope around it.
        for (const unit of waiting) unit.depth = Math.min(unit.depth, depthOf(runner));
        return;
      }
      isCommitting = true;
      try {
        await commit(() => commitTransaction.call(runner));
      } finally {
        isCommitting = false;
      }
    }),
    // A unit that joined when subscribers heard of the COMMIT came too late for the above.
    overrideMember(runner, 'query', ((...args: Parameters<QueryRunner['query']>) => {
      const run = (): Promise<unknown> => query.apply(runner, args);
      return args[0] === 'COMMIT' && !isCommitting ? commit(run) : run();
    }) as QueryRunner['query']),
    overrideMember(runner, 'rollbackTransaction', async () => {
      await rollbackTransaction.call(runner);
      settle('rollback');
    }),
    overrideMember(runner, 'release', async () => {
      for (const undo of restore) undo();
      watched.delete(runner);
      await release.call(runner);
      for (const { outcome = 'rollback', run } of waiting) if (outcome !== 'unknown') await run(outcome);
    }),
  ];
  return waiting;
}
