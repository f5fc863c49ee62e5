import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { type UnitTrace, unitTrace } from '../../diagnostics/traces.js';
import {
  CommitLostError,
  CommitOutcomeUnknownError,
  ShuttingDownError,
  WorkUnawaitedError,
  UnitTimeoutError,
} from '../../errors/units.errors.js';
import { ambientNode, within } from './ambient.js';
import { hasUnitAround } from './here.js';
import { commitOutcome } from '../transaction/commit-outcome.js';
import type { DataSourceOverride } from '../typeorm/data-source-override.js';
import { noteContention } from '../transaction/contention.js';
import { isTransient } from '../transaction/database-fault.js';
import type { Dialect, IsolationLevel } from '../dialects/dialect.js';
import { runEffects } from './effects.js';
import { skipIdleBroadcasts } from '../typeorm/runner-facade.js';
import { UnitDeadline } from './open-units.js';
import type { OpenUnits } from './open-units.js';
import { Scope } from './scope.js';
import { TransactionState } from '../transaction/transaction-state.js';
import type { UnitOptions, Work } from '../unit-options.js';
import { UnitOfWork } from '../unit-of-work.js';
import { UnitTransaction } from '../transaction/unit-transaction.js';

const DEFAULT_TIMEOUT = 60_000;

/** Opens units of work that have their own connection and transaction. */
export class RootUnits {
  constructor(
    private readonly dataSource: DataSource,
    private readonly override: DataSourceOverride,
    private readonly dialect: Dialect,
    private readonly open: OpenUnits,
  ) {}

  /**
   * Commits when `work` resolves, and rolls back when it rejects. After a transient fault, runs `work` again, at most
   * `retry` times.
   */
  async run<T>(work: Work<T>, options: UnitOptions): Promise<T> {
    const { retry = 0, signal } = options;
    this.open.enter(hasUnitAround(this.dataSource));
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await unitTrace.run(
            () => ({ name: options.name, kind: 'root', attempt, tasks: 0 }),
            (trace) => this.#once(work, options, trace),
          );
        } catch (error) {
          if (attempt > retry || signal?.aborted || !isTransient(error)) {
            noteContention(error);
            throw error;
          }
          await delay(Math.random() * Math.min(5 * 2 ** attempt, 250));
        }
      }
    } finally {
      this.open.leave();
    }
  }

  async #once<T>(
    work: Work<T>,
    { isolationLevel, timeout = DEFAULT_TIMEOUT, signal }: UnitOptions,
    trace?: UnitTrace,
  ): Promise<T> {
    const { dataSource, dialect } = this;
    const configured = (dataSource.options as { isolationLevel?: IsolationLevel }).isolationLevel;
    const isolation = dialect.isolation(isolationLevel, configured);
    const runner = this.override.createQueryRunner();
    skipIdleBroadcasts(runner.broadcaster, dataSource);
    const state = new TransactionState();
    const transaction = new UnitTransaction(dataSource, runner, dialect, isolation ?? dialect.defaultIsolation, state);
    const scope = new Scope(transaction, undefined, ambientNode());
    const end = new UnitDeadline(transaction, timeout, signal);
    const unit = new UnitOfWork(scope, undefined, trace, end);
    this.open.add(end);
    await this.#begin(transaction, end, isolation);
    let outcome: 'commit' | 'rollback' | 'unknown' = 'rollback';
    let clean = false;
    let lost = false;
    try {
      const whole = async (): Promise<T> => {
        const done = await work(unit);
        if (scope.isActive && state.hasHooks) await state.runHooks();
        return done;
      };
      const result = await end.before(() => within(scope, whole));
      scope.finish();
      // A write that ended after the hooks was not awaited.
      if (state.hasHooks) throw new WorkUnawaitedError(0, 1);
      try {
        await end.beforeCommitted(() => transaction.commit());
        clean = true;
      } catch (error) {
        if (!(error instanceof CommitOutcomeUnknownError)) throw error;
        lost = true;
        await transaction.giveUp();
        await this.#assertCommitted(transaction, timeout, error);
      }
      outcome = 'commit';
      return result;
    } catch (error) {
      scope.abandon();
      if (!lost) clean = await transaction.rollback();
      else if (error instanceof CommitOutcomeUnknownError) outcome = 'unknown';
      throw error;
    } finally {
      this.#clear(end);
      if (trace) trace.outcome = outcome;
      await (clean ? runner.release() : transaction.giveUp());
      if (outcome !== 'unknown') {
        const ended = outcome;
        const effects = scope.endEffects((effect) => void runEffects([effect], ended, scope));
        if (effects.length > 0) await runEffects(effects, ended, scope);
      }
    }
  }

  /**
   * Finds out whether a COMMIT without a reply was executed. Resolves if it was. If it was rolled back, throws the
   * `UnitTimeoutError` or `ShuttingDownError` that was the cause, otherwise `CommitLostError`. Throws `unknown` if the
   * outcome stays unknown.
   */
  async #assertCommitted(
    { witnesses }: UnitTransaction,
    timeout: number,
    unknown: CommitOutcomeUnknownError,
  ): Promise<void> {
    const ask: Parameters<typeof commitOutcome>[2] = (work, patience) =>
      this.#once(({ manager }) => work(manager), { isolationLevel: 'READ COMMITTED', timeout: patience });
    const outcome = await within(undefined, () => commitOutcome(witnesses, timeout, ask));
    const { cause } = unknown;
    if (outcome === 'rolled back')
      throw cause instanceof UnitTimeoutError || cause instanceof ShuttingDownError
        ? cause
        : new CommitLostError(cause);
    if (outcome === undefined) throw unknown;
  }

  #clear(end: UnitDeadline): void {
    end.clear();
    this.open.delete(end);
  }

  #begin(transaction: UnitTransaction, end: UnitDeadline, isolation?: IsolationLevel): Promise<void> {
    let begun: Promise<void> | undefined;
    const begin = (): Promise<void> => (begun = transaction.begin(isolation));
    return end.before(begin).catch((error: unknown) => {
      this.#clear(end);
      // The pool may still hand out the requested connection later.
      void Promise.resolve(begun)
        .catch(() => undefined)
        .then(() => transaction.giveUp());
      throw error instanceof UnitTimeoutError ? new UnitTimeoutError(end.timeout, true) : error;
    });
  }
}
