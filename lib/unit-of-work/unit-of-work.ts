import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { UnitTrace } from '../diagnostics/traces.js';
import { ambientOf, scopeHere } from './scopes/here.js';
import { createFacade, homeOf, isFacade, sharedRunner } from './typeorm/runner-facade.js';
import type { Witness } from './transaction/commit-outcome.js';
import type { IsolationLevel, LastStatement } from './dialects/dialect.js';
import type { Effect } from './scopes/effects.js';
import type { Scope } from './scopes/scope.js';
import type { TransactionState } from './transaction/transaction-state.js';
import type { UnitDeadline } from './scopes/open-units.js';
import { JoinedRunner } from './typeorm/joined-runner.js';
import { realRunner } from './typeorm/shared-view.js';

const LAST = Symbol('nestjs-files:last');

/** The transaction of one call, or its part of the caller's: its work is committed as a whole or not at all. */
export class UnitOfWork {
  readonly #slots: Record<symbol, unknown> = {};
  #manager: EntityManager | undefined;

  constructor(
    private readonly scope: Scope,
    readonly parent: UnitOfWork | undefined,
    /** The trace of this unit, if somebody listens. */
    readonly trace?: UnitTrace,
    private readonly deadline?: UnitDeadline,
  ) {
    scope.unit = this;
  }

  get dataSource(): DataSource {
    return this.scope.dataSource;
  }

  /** An entity manager in this unit's transaction; injected repositories and managers use it automatically. */
  get manager(): EntityManager {
    return (this.#manager ??= createFacade(this.scope).manager);
  }

  /** The state of the database transaction that the unit is in. */
  get transactionState(): TransactionState {
    return this.scope.transaction.state;
  }

  /** The isolation that the transaction is known to run at. */
  get isolation(): IsolationLevel | undefined {
    return this.scope.transaction.isolation;
  }

  get root(): UnitOfWork {
    return this.parent?.root ?? this;
  }

  /** The unit of the flow, if it is this one or nested in it; otherwise this one. */
  get innermost(): UnitOfWork {
    const here = ambientOf(this.dataSource);
    return (here?.kind === 'scope' && here.isWithin(this.scope) && unitOf(here)) || this;
  }

  get isActive(): boolean {
    return this.scope.isActive;
  }

  /** The caller has given the unit up: a root that has not come to its COMMIT is rolled back. */
  abandon(reason: unknown): void {
    this.deadline?.abandon(reason);
  }

  /**
   * Runs `effect` after the root unit has committed, outside of any unit, in the order of the calls; a failure is
   * logged.
   */
  afterCommit(effect: () => unknown): void {
    this.#wait({ when: 'commit', run: effect }, 'afterCommit() was called');
  }

  /** Runs `effect` once this unit's work has been undone, alone or with an outer unit; a failure is logged. */
  afterRollback(effect: () => unknown): void {
    this.#wait({ when: 'rollback', run: effect }, 'afterRollback() was called');
  }

  /**
   * Runs `last` in the root unit when its work is done: before the COMMIT or, where the application will commit, before
   * the end of its savepoint. What it throws undoes the unit.
   */
  beforeEnd(last: () => Promise<void>): void {
    if (this.parent) return this.root.beforeEnd(last);
    this.#place().assertActive('beforeEnd() was called');
    if (this.scope.transaction.isJoined) this.slot(LAST, () => new Set<typeof last>()).add(last);
    else this.transactionState.beforeCommit(last);
  }

  /** Whether anything is to run at the end of a unit that has joined the application's transaction. */
  get hasLast(): boolean {
    return (this.peek<Set<unknown>>(LAST)?.size ?? 0) > 0;
  }

  /** Runs it. */
  async runLast(): Promise<void> {
    const all = this.peek<Set<() => Promise<void>>>(LAST) ?? new Set();
    for (const last of all) {
      all.delete(last);
      await last();
    }
  }

  /**
   * Lets `witness` be asked whether the root unit was committed, if the reply to its COMMIT is lost. An undone one is
   * not asked.
   */
  addWitness(witness: Witness): void {
    this.#place().assertActive('addWitness() was called');
    this.scope.transaction.addWitness(witness);
  }

  /**
   * Keeps the statement back for the COMMIT, as `UnitTransaction.endWith()` does; false also where this is no root, or
   * work is nested here.
   */
  endWith(last: LastStatement): boolean {
    if (this.parent || this.#place() !== this.scope || !this.isActive) return false;
    return this.scope.transaction.endWith(last);
  }

  /**
   * The returned function tells later whether the present work was undone: at once for a part of the root, while
   * effects wait for its end.
   */
  watch(): () => boolean {
    const place = this.#place();
    return () => place.isUndone;
  }

  /** State of this unit, made on first use. */
  slot<T>(key: symbol, create: () => T): T {
    return (this.#slots[key] ??= create()) as T;
  }

  /** The slot's state, if it was made. */
  peek<T>(key: symbol): T | undefined {
    return this.#slots[key] as T | undefined;
  }

  // The place of the flow in this unit: if a nested transaction() is undone, the effects that it queued are undone,
  // too.
  #place(): Scope {
    const here = ambientOf(this.dataSource);
    return here?.kind === 'scope' && here.unit === this ? here : this.scope;
  }

  #wait(effect: Effect, what: string): void {
    const place = this.#place();
    place.assertActive(what);
    place.addEffect(effect);
  }
}

/** The unit of work that the place belongs to. */
export function unitOf(scope: Scope): UnitOfWork | undefined {
  return scope.unit as UnitOfWork | undefined;
}

/** The unit of work that this flow is in; undefined outside of one, and where it has ended. */
export function currentUnit(): UnitOfWork | undefined {
  const scope = scopeHere();
  return scope?.isActive ? unitOf(scope) : undefined;
}

/** A transaction of the database, opened by a unit or by the application. */
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
