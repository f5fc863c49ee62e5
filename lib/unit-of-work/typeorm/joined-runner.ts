import type { Readable } from 'node:stream';
import type { QueryRunner } from 'typeorm';
import { Logger } from '@nestjs/common';
import { stackOf } from '../../errors/stack-of.js';
import { WorkUnawaitedError, UnitAbortedError } from '../../errors/units.errors.js';
import { ambientOf } from '../scopes/here.js';
import { guardRefusal } from '../transaction/guard-refusal.js';
import type { Scope } from '../scopes/scope.js';
import type { Dialect } from '../dialects/dialect.js';
import { isRead, rollsBack } from '../dialects/transaction-control.js';
import { depthOf, setDepth, TransactionState } from '../transaction/transaction-state.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';
import { ForeignEnds } from './foreign-ends.js';
import { overrideMember } from './override-member.js';
import { dataSourceOf } from './data-source.js';

const logger = new Logger('UnitOfWork');

type Query = (...args: unknown[]) => Promise<never>;

const joined = new WeakMap<QueryRunner, JoinedRunner>();

/**
 * The query runner of an application's own transaction, for as long as units of work may join it. Managers that the
 * application keeps (typeorm-transactional, nestjs-cls, a callback's argument) use it directly: inside of a unit, their
 * work belongs to the unit; beside one, it must not be undone with the unit, nor end the unit's transaction.
 */
export class JoinedRunner {
  #unit: UnitTransaction | undefined;
  #wroteBeside = false;
  #transactions = 0;
  #state = new TransactionState();
  /** Whether a statement that rolls back is the query runner's own. */
  #isEnding = false;
  /** The error of every statement until the ROLLBACK. */
  #refusal: UnitAbortedError | undefined;
  readonly #ends: ForeignEnds;
  readonly #restore: (() => void)[];

  private constructor(private readonly runner: QueryRunner) {
    const { query, stream, startTransaction, commitTransaction, rollbackTransaction, release } = runner;
    this.#ends = new ForeignEnds(runner);
    for (let depth = 2; depth <= depthOf(runner); depth++) this.#state.beginPart(depth);
    this.#restore = [
      overrideMember(runner, 'query', ((...args) => this.#query(query.bind(runner) as Query, ...args)) as Query),
      overrideMember(runner, 'stream', ((...args: Parameters<QueryRunner['stream']>) => {
        const open = (): Promise<Readable> => stream.apply(runner, args);
        const scope = this.#scope();
        return scope ? scope.transaction.stream(scope, open) : open();
      }) as QueryRunner['stream']),
      overrideMember(runner, 'startTransaction', async (isolation) => {
        if (this.#isForeign()) this.#refuse('begun');
        await startTransaction.call(runner, isolation);
        if (depthOf(runner) > 1) this.#state.beginPart(depthOf(runner));
      }),
      overrideMember(runner, 'commitTransaction', async () => {
        if (this.#isForeign()) this.#refuse('committed');
        if (depthOf(runner) <= 1 && this.#state.hasHooks) {
          await this.#state.runHooks();
          // From the beginning, because the hooks may have opened units.
          return runner.commitTransaction();
        }
        const depth = depthOf(runner);
        this.#leave();
        const commit = (): Promise<void> =>
          commitTransaction.call(runner).catch((error: unknown) => {
            throw guardRefusal(error) ?? error;
          });
        if (depth <= 1) return this.#ends.commit(commit);
        await commit();
        this.#state.endPart(depth);
        this.#ends.savepointReleased();
      }),
      overrideMember(runner, 'rollbackTransaction', async () => {
        if (this.#isForeign()) {
          if (this.#scope()) this.#refuse('rolled back');
          const unit = this.#unit;
          this.#unit = undefined;
          await unit?.desert(new UnitAbortedError('the transaction that it had joined was rolled back'));
        }
        if (depthOf(runner) > 1) this.#state.undoPart(depthOf(runner));
        this.#leave();
        this.#isEnding = true;
        try {
          await rollbackTransaction.call(runner);
        } finally {
          this.#isEnding = false;
        }
        this.#ends.rolledBack();
      }),
      overrideMember(runner, 'release', async () => {
        this.#transactions++;
        joined.delete(runner);
        for (const undo of this.#restore) undo();
        // The next user of the connection would commit unchecked writes. A savepoint may be open in it.
        if (runner.isTransactionActive && this.#state.hasHooks) {
          setDepth(runner, 1);
          await rollbackTransaction.call(runner).catch((error: unknown) => {
            logger.error(
              'The transaction of a query runner that was released could not be rolled back',
              stackOf(error),
            );
          });
        }
        await release.call(runner);
        await this.#ends.released();
      }),
    ];
  }

  static of(runner: QueryRunner): JoinedRunner {
    const known = joined.get(runner) ?? new JoinedRunner(runner);
    joined.set(runner, known);
    return known;
  }

  /** The state of the transaction that is open now. */
  get state(): TransactionState {
    return this.#state;
  }

  /** Tells later whether the transaction that is open now still is. */
  watch(): () => boolean {
    const now = this.#transactions;
    return () => now === this.#transactions && this.runner.isTransactionActive;
  }

  /** Lets the unit have the transaction. */
  take(unit: UnitTransaction): void {
    this.#unit = unit;
    this.#wroteBeside = false;
  }

  /** Takes it back, and tells whether the application wrote beside the unit meanwhile. */
  takeBack(unit: UnitTransaction): boolean {
    if (this.#unit !== unit) return false;
    this.#unit = undefined;
    return this.#wroteBeside;
  }

  /** Calls `run` when the transaction that is open now has ended, and the connection is released. */
  onEnd(dialect: Dialect, run: (outcome: 'commit' | 'rollback') => unknown): void {
    this.#ends.add(dialect, run);
  }

  /** Makes the transaction fail, whose connection is no longer in it: later writes would be committed at once. */
  refuseStatements(error: UnitAbortedError): void {
    this.#refusal = error;
  }

  #query(query: Query, ...args: unknown[]): Promise<never> {
    const sql = String(args[0]);
    if (this.#refusal && sql !== 'ROLLBACK') return Promise.reject(this.#refusal);
    this.#refusal = undefined;
    const scope = this.#scope();
    if (scope && !scope.transaction.hasTurn) {
      return scope.transaction.statement(scope, this.runner, sql, () => query(...args));
    }
    if (rollsBack(sql) && !this.#isEnding) this.#state.noteUndone();
    if (!scope && this.#isForeign() && !isRead(sql)) this.#wroteBeside = true;
    if (sql === 'COMMIT') return this.#commit(() => query(...args)) as Promise<never>;
    return query(...args);
  }

  async #commit(send: () => Promise<never>): Promise<unknown> {
    // Rows that subscribers wrote on hearing of the COMMIT, after the earlier hooks were run.
    if (this.#state.hasHooks) {
      await this.#state.runHooks();
      this.#leave();
    }
    return this.#ends.commit(send);
  }

  /** Once the whole transaction is being ended, no unit may join it. */
  #leave(): void {
    if (depthOf(this.runner) > 1) return;
    this.#transactions++;
    this.#state = new TransactionState();
  }

  /** The place of the flow in a unit that has joined, also when the unit has ended. */
  #scope(): Scope | undefined {
    const here = ambientOf(dataSourceOf(this.runner));
    return here?.kind === 'scope' && here.transaction.runner === this.runner ? here : undefined;
  }

  /** Whether other code than the unit uses the query runner while the unit has it. */
  #isForeign(): boolean {
    return this.#unit !== undefined && !this.#unit.hasTurn;
  }

  #refuse(what: string): never {
    if (!this.#scope()) throw new WorkUnawaitedError(1, 0);
    throw new UnitAbortedError(
      `a transaction was ${what} through the query runner that it had joined; use dataSource.transaction() inside of it`,
    );
  }
}
