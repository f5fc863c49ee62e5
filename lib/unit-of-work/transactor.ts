import type { DataSource, EntityManager } from 'typeorm';
import { UnitAbortedError, UnitEndedError } from '../errors/units.errors.js';
import { carried, carrying, detach } from './scopes/ambient.js';
import { ambientOf } from './scopes/here.js';
import type { ForeignTransaction } from './transaction/foreign-transaction.js';
import { type DataSourceOverride, overrideDataSource } from './typeorm/data-source-override.js';
import type { Dialect } from './dialects/dialect.js';
import { dialectOf } from './dialects/dialect-of.js';
import { type Foreign, runJoined, runNested } from './scopes/enclosed-units.js';
import { lineOf } from './mutex.js';
import { OpenUnits } from './scopes/open-units.js';
import { RootUnits } from './scopes/root-units.js';
import { isFacade, scopeOf } from './typeorm/runner-facade.js';
import { realRunner } from './typeorm/shared-view.js';
import type { Scope } from './scopes/scope.js';
import type { UnitOptions, Work } from './unit-options.js';
import { unitOf, type UnitOfWork } from './unit-of-work.js';
import { dataSourceOf } from './typeorm/data-source.js';

/** The place in which an operation of `staying()` began. */
class Operation {
  constructor(readonly place: Scope | ForeignTransaction) {}
}

/** Opens units of work on one data source. */
export class Transactor {
  readonly #override: DataSourceOverride;
  readonly #dialect: Dialect;
  readonly #roots: RootUnits;

  readonly #open = new OpenUnits();
  readonly #ends: (() => void)[] = [];
  #isEnding = false;

  constructor(
    readonly dataSource: DataSource,
    /** How many milliseconds `drain()` waits for units that are open. */
    private readonly shutdownTimeout = 10_000,
  ) {
    this.#override = overrideDataSource(dataSource, {
      before: () => this.drain(),
      after: () => this.#afterDestroy(),
      giveWay: () => {
        if (this.#isEnding) this.close();
      },
    });
    this.#dialect = dialectOf(dataSource);
    this.#roots = new RootUnits(dataSource, this.#override, this.#dialect, this.#open);
  }

  /** The unit of this data source that the flow is in, if it is still open. */
  current(): UnitOfWork | undefined {
    const here = ambientOf(this.dataSource);
    return here?.kind === 'scope' && here.isActive ? unitOf(here) : undefined;
  }

  /**
   * Runs `work` in a unit of work: nested under a savepoint inside of another, inside the application's own transaction
   * where there is one, else in a new transaction that commits when `work` resolves and rolls back when it rejects.
   */
  run<T>(work: Work<T>, options: UnitOptions = {}): Promise<T> {
    const here = ambientOf(this.dataSource);
    if (options.manager) return this.#runIn(options.manager, work, options);
    if (here?.kind === 'scope' && here.isActive) return runNested(here, work, options);
    if (here?.kind === 'foreign' && here.runner.isTransactionActive) return this.#join(here, work, options);
    if (here && carried(Operation)?.place === here) return Promise.reject(new UnitEndedError('A file was written'));
    return this.#roots.run(work, options);
  }

  /**
   * Runs an operation whose bytes flow before it writes rows. Called in a unit of work or in the application's
   * transaction, it writes them there. If that has ended meanwhile, it throws `UnitEndedError`: on its own it would
   * outlive work that was undone.
   */
  staying<T>(operation: () => Promise<T>): Promise<T> {
    const here = ambientOf(this.dataSource);
    const isOpen = here?.kind === 'scope' ? here.isActive : here?.runner.isTransactionActive;
    return here && isOpen ? carrying(new Operation(here), operation) : operation();
  }

  /** Begins no unit any more and waits for those that are open, as `DataSource.destroy()` does, too. Never throws. */
  drain(): Promise<void> {
    return this.#open.drain(this.shutdownTimeout);
  }

  /**
   * Lets a shutdown wait for work that follows a commit, as it waits for units. `stop` is called once it waits no
   * longer: the work has to end soon then. It must not reject.
   */
  follow(work: Promise<void>, stop: () => void): void {
    this.#open.follow(work, stop);
  }

  /** Reads on one connection, outside of any unit of work and of any transaction, wherever it is called. */
  read<T>(read: (manager: EntityManager) => Promise<T>): Promise<T> {
    return detach(async () => {
      const runner = this.dataSource.createQueryRunner();
      try {
        await this.#dialect.ready(runner);
        return await read(runner.manager);
      } finally {
        await runner.release();
      }
    });
  }

  /** Calls `end` when it is closed: what serves its units of work ends with them. */
  atClose(end: () => void): void {
    this.#ends.push(end);
  }

  /** Takes the overrides off the data source. */
  close(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#override.remove();
  }

  /**
   * Closes it together with the data source, or as soon as the data source has another transactor. Until then, work
   * that is left over from a unit that was rolled back is refused: it could be saved otherwise, and nothing would check
   * it.
   */
  closeAtDestroy(): void {
    this.#isEnding = true;
    if (!this.dataSource.isInitialized || this.#override.isShared()) this.close();
  }

  /** Whether it only waits for the end of the data source. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  #afterDestroy(): void {
    if (!this.#isEnding) this.#open.reopen();
    // Without its end, the data source can still write.
    else if (!this.dataSource.isInitialized) this.close();
  }

  #runIn<T>(manager: EntityManager, work: Work<T>, options: UnitOptions): Promise<T> {
    const { queryRunner } = manager;
    if (!queryRunner?.isTransactionActive || dataSourceOf(queryRunner) !== this.dataSource) {
      return Promise.reject(new UnitAbortedError('the `manager` it was given is in no transaction of its data source'));
    }
    if (isFacade(queryRunner)) return runNested(scopeOf(queryRunner), work, options);
    const runner = realRunner(queryRunner);
    const here = ambientOf(this.dataSource);
    const joined = here?.kind === 'scope' && here.isActive && here.transaction.runner === runner;
    if (joined) return runNested(here, work, options);
    const isHere = here?.kind === 'foreign' && here.runner === runner;
    return this.#join(isHere ? here : { runner, isolation: undefined, line: lineOf(runner) }, work, options);
  }

  #join<T>(foreign: Foreign, work: Work<T>, options: UnitOptions): Promise<T> {
    const joined = runJoined(this.dataSource, this.#dialect, foreign, work, options);
    this.#open.wait(joined);
    return joined;
  }
}
