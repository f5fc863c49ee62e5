import type { DataSource } from 'typeorm';
import { type UnitTrace, unitTrace } from '../../diagnostics/traces.js';
import { UnitAbortedError, WorkUnawaitedError } from '../../errors/units.errors.js';
import { ambientNode, within } from './ambient.js';
import type { ForeignTransaction } from '../transaction/foreign-transaction.js';
import type { Dialect } from '../dialects/dialect.js';
import { runEffects } from './effects.js';
import { JoinedRunner } from '../typeorm/joined-runner.js';
import { quietOnceEnded } from '../typeorm/quiet.js';
import { Scope } from './scope.js';
import type { UnitOptions, Work } from '../unit-options.js';
import { unitOf, UnitOfWork } from '../unit-of-work.js';
import { UnitTransaction } from '../transaction/unit-transaction.js';

/** A transaction that the application has opened. */
export type Foreign = Pick<ForeignTransaction, 'runner' | 'isolation' | 'line'>;

const BESIDE =
  'a statement that ran at the same time as a unit of work that had joined the transaction was undone with it; await one before you start the other';

/** Runs `work` in a unit of work under a savepoint of the outer one's transaction. */
export function runNested<T>(outer: Scope, work: Work<T>, { name }: UnitOptions): Promise<T> {
  const nested = outer.nest(() =>
    traced('nested', name, async (trace) => {
      const { transaction } = outer;
      const scope = new Scope(transaction, outer, ambientNode());
      const unit = new UnitOfWork(scope, unitOf(outer), trace);
      await transaction.openSavepoint(scope, scope);
      try {
        const result = await within(scope, async () => work(unit));
        scope.finish();
        await transaction.releaseSavepoint(scope);
        scope.passEffects(false);
        return result;
      } catch (error) {
        scope.abandon();
        await transaction.rollbackToSavepoint(scope);
        scope.passEffects(true);
        throw error;
      }
    }),
  );
  return quietOnceEnded(outer, nested);
}

/**
 * Runs `work` in a joined unit: it has no parent, and runs under a savepoint of a transaction that the application
 * opened. Its effects run when that transaction has ended.
 */
export function runJoined<T>(
  dataSource: DataSource,
  dialect: Dialect,
  { runner, isolation, line }: Foreign,
  work: Work<T>,
  { name }: UnitOptions,
): Promise<T> {
  const joined = JoinedRunner.of(runner);
  const isOpen = joined.watch();
  const join = async (trace?: UnitTrace): Promise<T> => {
    const transaction = new UnitTransaction(dataSource, runner, dialect, isolation, joined.state);
    const scope = new Scope(transaction, undefined, ambientNode());
    const unit = new UnitOfWork(scope, undefined, trace);
    joined.take(transaction);
    try {
      await transaction.begin();
      const result = await within(scope, async () => {
        const done = await work(unit);
        if (unit.hasLast) await unit.runLast();
        return done;
      });
      scope.finish();
      // What was added after that was not awaited.
      if (unit.hasLast) throw new WorkUnawaitedError(0, 1);
      await transaction.commit();
      joined.takeBack(transaction);
      joined.onEnd(dialect, (outcome) => runEffects(scope.effects, outcome, scope));
      return result;
    } catch (error) {
      scope.abandon();
      const undone = await transaction.rollback();
      if (joined.takeBack(transaction)) joined.refuseStatements(new UnitAbortedError(BESIDE, error));
      else if (!undone) joined.refuseStatements(new UnitAbortedError('its transaction had already failed', error));
      if (isOpen()) joined.onEnd(dialect, () => runEffects(scope.effects, 'rollback', scope));
      else await runEffects(scope.effects, 'rollback', scope);
      throw error;
    }
  };
  return line.enterUnit(isOpen, () => traced('joined', name, join));
}

/** The trace of such a unit reports the end of its savepoint. */
function traced<T>(
  kind: 'nested' | 'joined',
  name: string | undefined,
  run: (trace?: UnitTrace) => Promise<T>,
): Promise<T> {
  return unitTrace.run(
    () => ({ name, kind, attempt: 1, tasks: 0 }),
    async (trace) => {
      if (!trace) return run();
      trace.outcome = 'rollback';
      const result = await run(trace);
      trace.outcome = 'commit';
      return result;
    },
  );
}
