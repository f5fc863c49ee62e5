import type { Readable } from 'node:stream';
import { type EntityManager, type QueryRunner, QueryRunnerAlreadyReleasedError, type QueryResult } from 'typeorm';
import { ambientOf } from './ambient.js';
import { strongerIsolation, type IsolationLevel } from './dialects/dialect.js';
import { UnitAbortedError } from '../errors/unit-aborted.error.js';
import type { Scope } from './scope.js';
import type { UnitTransaction } from './unit-transaction.js';

const FACADE = Symbol('nestjs-files:runner-facade');

/** A query runner that shares a unit's transaction, with a depth of its own: whoever holds it cannot end the unit. */
export interface RunnerFacade extends QueryRunner {
  readonly [FACADE]: FacadeState;
}

interface FacadeState {
  readonly transaction: UnitTransaction;
  readonly home: Scope;
  depth: number;
  released: boolean;
}

export function isFacade(runner: QueryRunner | undefined): runner is RunnerFacade {
  return runner !== undefined && FACADE in runner;
}

/** The scope that work through the facade belongs to: the flow's own in the same transaction, else where it was made. */
export function scopeOf(facade: RunnerFacade): Scope {
  const { transaction, home } = facade[FACADE];
  const here = ambientOf(transaction.dataSource);
  return here?.kind === 'scope' && here.transaction === transaction ? here : home;
}

/** Makes the query runners that one transaction hands out. */
export class FacadeFactory {
  readonly #prototype: object;

  constructor(
    readonly transaction: UnitTransaction,
    private readonly createManager: (runner: QueryRunner) => EntityManager,
  ) {
    // What is not overridden is inherited from the real runner and calls back into the overrides.
    this.#prototype = Object.create(
      transaction.runner,
      Object.getOwnPropertyDescriptors(overrides(transaction)),
    ) as object;
  }

  create(home: Scope): RunnerFacade {
    const state: FacadeState = { transaction: this.transaction, home, depth: 0, released: false };
    const facade = Object.create(this.#prototype, {
      [FACADE]: { value: state },
      data: { value: {}, writable: true },
      manager: { value: undefined, writable: true },
    }) as RunnerFacade;
    const Broadcaster = this.transaction.runner.broadcaster.constructor as new (runner: QueryRunner) => object;
    Object.defineProperty(facade, 'broadcaster', { value: new Broadcaster(facade) });
    Object.assign(facade, { manager: this.createManager(facade) });
    return facade;
  }
}

function overrides(transaction: UnitTransaction): ThisType<RunnerFacade> & object {
  const { runner } = transaction;
  return {
    get isTransactionActive(): boolean {
      return true;
    },

    get isReleased(): boolean {
      return (this as unknown as RunnerFacade)[FACADE].released;
    },

    connect(): Promise<unknown> {
      return runner.connect();
    },

    async query(sql: string, parameters?: unknown[], structured = false): Promise<unknown> {
      assertHeld(this);
      const run = (): Promise<QueryResult> => runner.query(sql, parameters, true);
      const result = await transaction.statement(scopeOf(this), this, sql, run);
      return structured ? result : result.raw;
    },

    async stream(sql: string, parameters?: unknown[], onEnd?: () => void, onError?: () => void): Promise<Readable> {
      assertHeld(this);
      return transaction.stream(scopeOf(this), () => runner.stream(sql, parameters, onEnd, onError));
    },

    async startTransaction(isolation?: IsolationLevel): Promise<void> {
      assertHeld(this);
      if (strongerIsolation(isolation, transaction.isolation)) {
        throw new UnitAbortedError(
          `a nested transaction asked for ${isolation}, which only the unit itself can have: @WithTaskQueue({ isolationLevel: '${isolation}' })`,
        );
      }
      const scope = scopeOf(this);
      await transaction.openSavepoint(this, scope.openedBy === this ? scope : undefined);
      this[FACADE].depth++;
    },

    // Beyond its own depth there is nothing of the caller's to end.
    async commitTransaction(): Promise<void> {
      if (this[FACADE].depth === 0) return;
      this[FACADE].depth--;
      await transaction.releaseSavepoint(this);
    },

    async rollbackTransaction(): Promise<void> {
      if (this[FACADE].depth === 0) return;
      this[FACADE].depth--;
      await transaction.rollbackToSavepoint(this);
    },

    async release(): Promise<void> {
      while (this[FACADE].depth > 0) await this.rollbackTransaction();
      this[FACADE].released = true;
    },

    async [Symbol.asyncDispose](): Promise<void> {
      while (this[FACADE].depth > 0) await this.commitTransaction();
      await this.release();
    },
  } as ThisType<RunnerFacade> & object;
}

function assertHeld(facade: RunnerFacade): void {
  if (facade[FACADE].released) throw new QueryRunnerAlreadyReleasedError();
}
