import type { Readable } from 'node:stream';
import type { QueryRunner } from 'typeorm';
import { Logger } from '@nestjs/common';
import { stackOf } from '../../errors/stack-of.js';
import { WorkUnawaitedError, UnitAbortedError } from '../../errors/units.errors.js';
import { ambientOf } from '../scopes/here.js';
import { guardRefusal } from '../transaction/guard-refusal.js';
import type { Scope } from '../scopes/scope.js';
import { isRead, rollsBack } from '../dialects/transaction-control.js';
import { depthOf, setDepth, TransactionState } from '../transaction/transaction-state.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';
import { overrideMember } from './override-member.js';
import { dataSourceOf } from './data-source.js';

const logger = new Logger('UnitOfWork');

type Query = (...args: unknown[]) => Promise<never>;

const joined = new WeakMap<QueryRunner, JoinedRunner>();

/**
 * The query runner of an application's own transaction, for as long as units of work may join it. Managers that the
 * application keeps (typeorm-transactional, nestjs-cls, a callback's argument) use it directly: inside of a unit, their work belongs to the
 * unit; beside one, it must not be undone with the unit, nor end the unit's transaction.
 */
export class JoinedRunner {
  #unit: UnitTransaction | undefined;
  #wroteBeside = false;
  #transactions = 0;
  #state = new TransactionState();
  /** Whether a statement that rolls back is the query runner's own. */
  #isEnding = false;
  readonly #restore: (() => void)[];

  private constructor(private readonly runner: QueryRunner) {
    const { query, stream, startTransaction, commitTransaction, rollbackTransaction, release } = runner;
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
          // Read again, because units that the hooks opened watch for the commit by now.
          return runner.commitTransaction();
        }
        const depth = depthOf(runner);
        this.#leave();
        await commitTransaction.call(runner).catch((error: unknown) => {
          throw guardRefusal(error) ?? error;
        });
        if (depth > 1) this.#state.endPart(depth);
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

  #query(query: Query, ...args: unknown[]): Promise<never> {
    const sql = String(args[0]);
    const scope = this.#scope();
    if (scope && !scope.transaction.hasTurn) {
      return scope.transaction.statement(scope, this.runner, sql, () => query(...args));
    }
    // Rows that subscribers wrote on hearing of the COMMIT, after the earlier hooks were run.
    if (sql === 'COMMIT' && this.#state.hasHooks) return this.#commitLate(...args);
    if (rollsBack(sql) && !this.#isEnding) this.#state.noteUndone();
    if (!scope && this.#isForeign() && !isRead(sql)) this.#wroteBeside = true;
    return query(...args);
  }

  async #commitLate(...args: unknown[]): Promise<never> {
    await this.#state.runHooks();
    this.#leave();
    // Read again, because units that the hooks opened watch for the commit by now.
    return (this.runner.query as Query)(...args);
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
