import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { type UnitTrace, unitTrace } from '../diagnostics/traces.js';
import { CommitLostError } from '../errors/commit-lost.error.js';
import { CommitOutcomeUnknownError } from '../errors/commit-outcome-unknown.error.js';
import { UnitAbortedError } from '../errors/unit-aborted.error.js';
import { UnitTimeoutError } from '../errors/unit-timeout.error.js';
import { ambientNode, ambientOf, within } from './ambient.js';
import { commitOutcome } from './commit-outcome.js';
import { type DataSourceOverride, overrideDataSource } from './data-source-override.js';
import { isTransient } from './database-fault.js';
import type { Dialect, IsolationLevel } from './dialects/dialect.js';
import { dialectOf } from './dialects/dialect-of.js';
import { runEffects } from './effects.js';
import { onForeignEnd, refuseStatements } from './foreign-end.js';
import { skipIdleBroadcasts } from './idle-broadcasts.js';
import { JoinedRunner } from './joined-runner.js';
import { type Line, lineOf } from './line.js';
import { quietOnceEnded } from './quiet.js';
import { isFacade, scopeOf } from './runner-facade.js';
import { Scope } from './scope.js';
import { realRunner } from './shared-view.js';
import { UnitDeadline } from './unit-deadline.js';
import { UnitOfWork } from './unit-of-work.js';
import { UnitTransaction } from './unit-transaction.js';

const DEFAULT_TIMEOUT = 60_000;

/** How a unit of work runs. */
export interface UnitOptions {
  /** Isolation of the transaction; READ COMMITTED by default. Only a root unit has a say. */
  isolationLevel?: IsolationLevel;
  /** How often to run the work again after a deadlock or serialization failure. @default 0 */
  retry?: number;
  /** Milliseconds after which an open root unit is rolled back and its connection given up. @default 60000 */
  timeout?: number;
  /** Run inside the transaction that this entity manager is in; its owner commits. */
  manager?: EntityManager;
  /** What traces and logs call it; a decorated method's own name otherwise. */
  name?: string;
  /** Rolls the unit back when it is aborted. */
  signal?: AbortSignal;
}

const BESIDE =
  'work beside a unit of work that had joined the transaction was undone with it; await one, then start the other';

type Work<T> = (unit: UnitOfWork) => T | Promise<T>;

/** Opens units of work on one data source. */
export class Transactor {
  readonly #override: DataSourceOverride;
  readonly #dialect: Dialect;

  constructor(readonly dataSource: DataSource) {
    this.#override = overrideDataSource(dataSource);
    this.#dialect = dialectOf(dataSource);
  }

  /** The unit of this data source that the flow is in, if it is still open. */
  current(): UnitOfWork | undefined {
    const here = ambientOf(this.dataSource);
    return here?.kind === 'scope' && here.isActive ? here.unit : undefined;
  }

  /**
   * Runs `work` in a unit of work: nested under a savepoint inside of another, inside the application's own transaction where
   * there is one, else in a new transaction that commits when `work` resolves and rolls back when it rejects.
   */
  run<T>(work: Work<T>, options: UnitOptions = {}): Promise<T> {
    const here = ambientOf(this.dataSource);
    if (options.manager) return this.#runIn(options.manager, work, options);
    if (here?.kind === 'scope' && here.isActive) return this.#nest(here, work, options);
    if (here?.kind === 'foreign' && here.runner.isTransactionActive)
      return this.#join(here.runner, here.line, work, options);
    return this.#retrying(work, options);
  }

  /** Takes the overrides off the data source. */
  close(): void {
    this.#override.remove();
  }

  #runIn<T>(manager: EntityManager, work: Work<T>, options: UnitOptions): Promise<T> {
    const { queryRunner } = manager;
    if (!queryRunner?.isTransactionActive || queryRunner.dataSource !== this.dataSource) {
      return Promise.reject(new UnitAbortedError('the `manager` it was given is in no transaction of its data source'));
    }
    if (isFacade(queryRunner)) return this.#nest(scopeOf(queryRunner), work, options);
    const runner = realRunner(queryRunner);
    const here = ambientOf(this.dataSource);
    const joined = here?.kind === 'scope' && here.isActive && here.transaction.runner === runner;
    if (joined) return this.#nest(here, work, options);
    const line = here?.kind === 'foreign' && here.runner === runner ? here.line : lineOf(runner);
    return this.#join(runner, line, work, options);
  }

  async #retrying<T>(work: Work<T>, options: UnitOptions): Promise<T> {
    const { retry = 0, signal } = options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await unitTrace.run(
          () => ({ name: options.name, kind: 'root', attempt, tasks: 0 }),
          (trace) => this.#root(work, options, trace),
        );
      } catch (error) {
        if (attempt > retry || signal?.aborted || !isTransient(error)) throw error;
        await delay(Math.random() * Math.min(5 * 2 ** attempt, 250));
      }
    }
  }

  async #root<T>(
    work: Work<T>,
    { isolationLevel, timeout = DEFAULT_TIMEOUT, signal }: UnitOptions,
    trace?: UnitTrace,
  ): Promise<T> {
    const { dataSource } = this;
    const configured = (dataSource.options as { isolationLevel?: IsolationLevel }).isolationLevel;
    const isolation = this.#dialect.isolation(isolationLevel, configured);
    const runner = this.#override.createQueryRunner();
    skipIdleBroadcasts(runner.broadcaster, dataSource);
    const transaction = new UnitTransaction(
      dataSource,
      runner,
      this.#dialect,
      isolation ?? this.#dialect.defaultIsolation,
    );
    const scope = new Scope(transaction, undefined, ambientNode());
    const end = new UnitDeadline(transaction, timeout, signal);
    const unit = new UnitOfWork(scope, undefined, trace, end);
    await this.#begin(transaction, end, isolation);
    let outcome: 'commit' | 'rollback' | 'unknown' = 'rollback';
    let clean = false;
    let lost = false;
    try {
      const result = await end.before(() => within(scope, () => work(unit)));
      scope.finish();
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
      else if (!(error instanceof CommitLostError)) outcome = 'unknown';
      throw error;
    } finally {
      end.clear();
      if (trace) trace.outcome = outcome;
      await (clean ? runner.release() : transaction.giveUp());
      if (outcome !== 'unknown') {
        const ended = outcome;
        const effects = scope.endEffects((effect) => void runEffects([effect], ended));
        if (effects.length > 0) await runEffects(effects, ended);
      }
    }
  }

  /** Throws CommitLostError if the COMMIT whose reply was lost did nothing, and what is given if nobody can say. */
  async #assertCommitted(
    { witnesses }: UnitTransaction,
    timeout: number,
    unknown: CommitOutcomeUnknownError,
  ): Promise<void> {
    const ask: Parameters<typeof commitOutcome>[2] = (work, patience) =>
      this.#root(({ manager }) => work(manager), { isolationLevel: 'READ COMMITTED', timeout: patience });
    const outcome = await within(undefined, () => commitOutcome(witnesses, timeout, ask));
    if (outcome === 'rolled back') throw new CommitLostError(unknown.cause);
    if (outcome === undefined) throw unknown;
  }

  async #begin(transaction: UnitTransaction, end: UnitDeadline, isolation?: IsolationLevel): Promise<void> {
    let begun: Promise<void> | undefined;
    try {
      await end.before(() => (begun = transaction.begin(isolation)));
    } catch (error) {
      end.clear();
      // The pool may still be about to hand out a connection.
      void Promise.resolve(begun)
        .catch(() => undefined)
        .then(() => transaction.giveUp());
      throw error instanceof UnitTimeoutError ? new UnitTimeoutError(end.timeout, true) : error;
    }
  }

  #nest<T>(outer: Scope, work: Work<T>, { name }: UnitOptions): Promise<T> {
    const nested = outer.nest(() =>
      traced('nested', name, async (trace) => {
        const { transaction } = outer;
        const scope = new Scope(transaction, outer, ambientNode());
        const unit = new UnitOfWork(scope, outer.unit, trace);
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

  /** A root unit under a savepoint of the application's own transaction; its effects wait for that one's end. */
  #join<T>(runner: QueryRunner, line: Line, work: Work<T>, { name }: UnitOptions): Promise<T> {
    const joined = JoinedRunner.of(runner);
    const isOpen = joined.watch();
    const join = async (trace?: UnitTrace): Promise<T> => {
      const transaction = new UnitTransaction(this.dataSource, runner, this.#dialect, undefined);
      const scope = new Scope(transaction, undefined, ambientNode());
      const unit = new UnitOfWork(scope, undefined, trace);
      joined.take(transaction);
      try {
        await transaction.begin();
        const result = await within(scope, async () => work(unit));
        scope.finish();
        await transaction.commit();
        joined.takeBack(transaction);
        onForeignEnd(runner, this.#dialect, (outcome) => runEffects(scope.effects, outcome));
        return result;
      } catch (error) {
        scope.abandon();
        const undone = await transaction.rollback();
        if (joined.takeBack(transaction)) refuseStatements(runner, new UnitAbortedError(BESIDE, error));
        else if (!undone) refuseStatements(runner, new UnitAbortedError('its transaction had already failed', error));
        if (isOpen()) onForeignEnd(runner, this.#dialect, () => runEffects(scope.effects, 'rollback'));
        else await runEffects(scope.effects, 'rollback');
        throw error;
      }
    };
    return line.enterUnit(isOpen, () => traced('joined', name, join));
  }
}

/** A unit whose transaction is somebody else's: what its trace tells is what became of its savepoint. */
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
