import type { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import type { DataSource, QueryRunner } from 'typeorm';
import { stackOf } from '../../errors/stack-of.js';
import { IsolationLevelRefusedError, UnitAbortedError, UnitEndedError } from '../../errors/units.errors.js';
import { ambientNode, within } from '../scopes/ambient.js';
import {
  type BegunWith,
  type Dialect,
  type IsolationLevel,
  type LastStatement,
  strongerIsolation,
} from '../dialects/dialect.js';
import { lineOf, Turnstile } from '../mutex.js';
import { isRead, rollsBack } from '../dialects/transaction-control.js';
import type { ForeignTransaction } from './foreign-transaction.js';
import type { Witness } from './commit-outcome.js';
import { OpenStreams, type Savepoint, Savepoints, depthOf, setDepth } from './transaction-state.js';
import type { Origin, TransactionState } from './transaction-state.js';
import { RootCommit } from './root-commit.js';

const logger = new Logger('UnitOfWork');

/**
 * The transaction of a unit of work on its one connection. Statements run one at a time. No statement runs after the
 * end of the transaction was requested, or after the database has ended it.
 */
export class UnitTransaction {
  #sealed = false;
  #over = false;
  #isUsed = false;
  #doom: { error: unknown } | undefined;
  #lastFailure: unknown;
  readonly #turnstile = new Turnstile(this);
  readonly #savepoints = new Savepoints();
  readonly #streams = new OpenStreams();
  #witnesses: Witness[] = [];
  #identity: Witness | undefined;
  readonly #end: RootCommit;
  readonly #baseDepth: number;
  #isLost = false;
  /** The object that the facades of the runner inherit from. It is created with the first facade. */
  facadePrototype: object | undefined;
  /** Whether a failure of work that the unit did not await has been logged. */
  hasToldLateFailure = false;
  #onLost: (() => void) | undefined;

  constructor(
    readonly dataSource: DataSource,
    readonly runner: QueryRunner,
    readonly dialect: Dialect,
    /** The isolation that the unit or the application asked for when the transaction began. */
    private readonly begunWith: BegunWith,
    /**
     * The state of the database's transaction. If the application opened the transaction, the state lasts longer than
     * the unit.
     */
    readonly state: TransactionState,
  ) {
    this.#baseDepth = depthOf(runner);
    this.#end = new RootCommit(dialect, runner);
  }

  /** Whether the application opened the transaction, and the unit joined it. */
  get isJoined(): boolean {
    return this.#baseDepth > 0;
  }

  /** The isolation of the transaction, if it is known. */
  get isolation(): IsolationLevel | undefined {
    return this.begunWith === 'none' ? undefined : this.begunWith;
  }

  get isSealed(): boolean {
    return this.#sealed;
  }

  /**
   * The witnesses that can tell whether the transaction was committed. A rollback to a savepoint removes the witnesses
   * that came after it.
   */
  get witnesses(): readonly Witness[] {
    return this.#identity ? [this.#identity, ...this.#witnesses] : this.#witnesses;
  }

  /** Whether the database can tell the outcome of the transaction by its id. */
  get isIdentified(): boolean {
    return this.#identity !== undefined;
  }

  /** Adds the witness that identifies the transaction itself. It is asked before all others. */
  identify(witness: () => Witness): void {
    if (!this.isJoined) this.#identity ??= witness();
  }

  addWitness(witness: Witness): void {
    this.#witnesses.push(witness);
  }

  /** Whether the calling code runs inside one of the transaction's statements. */
  get hasTurn(): boolean {
    return this.#turnstile.isMine;
  }

  begin(isolation?: IsolationLevel): Promise<void> {
    const start = (at?: IsolationLevel): Promise<void> => this.runner.startTransaction(at);
    return this.#turnstile.exclusive(() => this.#asForeign(() => this.dialect.begin(this.runner, start, isolation)));
  }

  /** Makes every later statement and the commit fail. `error` is the cause of their errors. */
  abort(error: unknown): void {
    this.#doom ??= { error };
  }

  /**
   * Holds the statement back and sends it with the COMMIT. If another statement comes first, the held one is sent
   * before it. Returns false, and holds nothing back, if this is not possible.
   */
  endWith(last: LastStatement): boolean {
    const isPlain = !this.isJoined && !this.#sealed && !this.#doom && !this.#savepoints.areOpen;
    // The statement may wait for a lock when the connection is lost. Then only the transaction's id can tell the
    // outcome.
    return isPlain && this.isIdentified && this.#end.keep(last);
  }

  /** Runs one statement of the scope. `through` is the query runner that was asked to run it. */
  statement<T>(scope: Origin, through: object, sql: string, run: () => Promise<T>): Promise<T> {
    scope.beginStatement();
    return this.#turnstile.exclusive(
      () => {
        this.#admit(scope, through, sql);
        return this.#observe(run);
      },
      () => scope.endStatement(),
    );
  }

  /** Returns the driver's connection, on which the transaction has begun. */
  async connection(): Promise<unknown> {
    if (!this.#isUsed) await this.#turnstile.exclusive(() => this.#observe(() => this.dialect.ready(this.runner)));
    return this.runner.connect();
  }

  /** Opens a stream, and holds the connection until the stream is closed. */
  stream(scope: Origin, open: () => Promise<Readable>): Promise<Readable> {
    return new Promise((resolve, reject) => {
      const opening = async (): Promise<Readable> => {
        scope.assertActive('A stream was opened');
        this.#assertUsable();
        return this.#observe(async () => {
          await this.dialect.ready(this.runner);
          return open();
        });
      };
      scope.beginStatement();
      const held = this.#turnstile.exclusive(async () => {
        const stream = await opening().finally(() => scope.endStatement());
        scope.openStream(stream);
        resolve(stream);
        await this.#streams.closed(stream);
        scope.closeStream(stream);
      });
      held.catch(reject);
    });
  }

  /** Throws IsolationLevelRefusedError unless the transaction is known to run at this isolation or a stronger one. */
  async assertIsolation(requested: IsolationLevel): Promise<void> {
    const actual = await (this.#baseDepth === 0
      ? this.isolation
      : this.#turnstile.exclusive(() => this.#observe(() => this.dialect.isolationOf(this.runner, this.begunWith))));
    if (strongerIsolation(requested, actual)) throw new IsolationLevelRefusedError(requested, actual);
  }

  /** Opens a savepoint, which only `owner` may end. The work of `scope` is part of it. */
  async openSavepoint(owner: object, scope?: Origin): Promise<void> {
    await this.#turnstile.exclusive(async () => {
      this.#assertUsable();
      await this.#observe(() => this.runner.startTransaction());
      this.state.beginPart(depthOf(this.runner));
      this.#savepoints.push({ owner, scope, witnesses: this.#witnesses.length });
    });
  }

  releaseSavepoint(owner: object): Promise<void> {
    return this.#turnstile.exclusive(async () => {
      this.#assertUsable();
      this.#pop(owner);
      const depth = depthOf(this.runner);
      await this.#observe(() => this.runner.commitTransaction());
      this.state.endPart(depth);
    });
  }

  /** Rolls back the work since the savepoint. If this is impossible, the whole unit fails. Never throws. */
  rollbackToSavepoint(owner: object): Promise<void> {
    return this.#turnstile.exclusive(async () => {
      if (this.#sealed) return;
      try {
        const { shared, witnesses } = this.#pop(owner);
        this.#witnesses = this.#witnesses.slice(0, witnesses);
        if (this.#doom) return;
        this.state.undoPart(depthOf(this.runner));
        await this.runner.rollbackTransaction();
        if (shared)
          throw new UnitAbortedError(
            'a statement that ran at the same time as a nested transaction was undone with it; await one before you start the other',
          );
      } catch (error) {
        this.abort(error);
      }
    });
  }

  /**
   * Commits. Throws UnitAbortedError if the database did not commit, and CommitOutcomeUnknownError if the outcome is
   * unknown.
   */
  commit(): Promise<void> {
    return this.#turnstile.exclusive(async () => {
      this.#sealed = true;
      if (this.#doom) throw new UnitAbortedError('its transaction had already failed', this.#doom.error);
      if (this.#savepoints.areOpen) throw new UnitAbortedError('a transaction started by hand was never ended');
      const commit = (): Promise<void> => this.runner.commitTransaction();
      let refusal: string | undefined;
      if (this.#baseDepth > 0) await commit();
      else refusal = await this.#end.run(() => this.#asForeign(commit), this.#lastFailure);
      this.#over = true;
      if (refusal !== undefined) throw new UnitAbortedError(refusal, this.#lastFailure);
    });
  }

  /** Rolls back. Resolves with true if the connection is known to have left the transaction. Never throws. */
  async rollback(): Promise<boolean> {
    this.#sealed = true;
    this.#end.drop(new UnitAbortedError('it was rolled back'));
    this.#streams.destroy();
    const done = this.#turnstile.exclusive(async () => {
      if (this.#over) return true;
      if (!this.runner.isTransactionActive || this.runner.isReleased) return false;
      setDepth(this.runner, this.#baseDepth + 1);
      try {
        await this.#asForeign(() => this.runner.rollbackTransaction());
        this.#over = true;
        return true;
      } catch (error) {
        setDepth(this.runner, this.#baseDepth);
        logger.warn(`ROLLBACK failed, the connection is closed: ${String(error)}`);
        return false;
      }
    });
    // A statement on a connection that was closed may never end.
    const lost = new Promise<false>((resolve) => {
      this.#onLost = () => resolve(false);
      if (this.#isLost) this.#onLost();
    });
    return Promise.race([done, lost]);
  }

  /**
   * Ends without a statement, because the application is about to roll back the transaction that the unit joined. Never
   * throws.
   */
  async desert(error: unknown): Promise<void> {
    this.abort(error);
    this.#sealed = true;
    this.#streams.destroy();
    await this.#turnstile.exclusive(() => {
      this.#over = true;
      setDepth(this.runner, this.#baseDepth);
      return Promise.resolve();
    });
  }

  /** Closes the connection and removes it from the pool. Never throws. */
  async giveUp(): Promise<void> {
    this.#sealed = true;
    this.#isLost = true;
    this.#onLost?.();
    try {
      await this.dialect.destroy(this.runner);
    } catch (error) {
      logger.error('A connection could not be closed', stackOf(error));
    }
  }

  // Subscribers run during BEGIN, COMMIT and ROLLBACK, and on SQLite they need the one connection that this transaction
  // holds. So these statements run as in a transaction of the application: other query runners may share its
  // connection.
  #asForeign<T>(run: () => Promise<T>): Promise<T> {
    const { dataSource, runner, begunWith: isolation } = this;
    const line = lineOf(runner);
    const node: ForeignTransaction = { kind: 'foreign', enclosing: ambientNode(), dataSource, runner, isolation, line };
    return within(node, run);
  }

  #admit(scope: Origin, through: object, sql: string): void {
    scope.assertActive('A statement was sent');
    this.#assertUsable();
    if (this.dialect.endsTransaction(sql)) this.#refuse(sql);
    // The application created the savepoint, so it is unknown which work this rolls back.
    if (rollsBack(sql)) {
      this.#witnesses = [];
      this.state.noteUndone();
    }
    if (this.#savepoints.areOpen && !isRead(sql)) this.#savepoints.noteWrite(scope, through);
  }

  #refuse(sql: string): never {
    const error = new UnitAbortedError(`"${sql.trim().slice(0, 40)}" would end its transaction`);
    this.abort(error);
    throw error;
  }

  #assertUsable(): void {
    if (this.#doom) throw new UnitAbortedError('its transaction had already failed', this.#doom.error);
    if (this.#sealed) throw new UnitEndedError('A statement was sent');
  }

  #observe<T>(run: () => Promise<T>): Promise<T> {
    this.#isUsed = true;
    return (this.#end.hasStatement ? this.#end.send().then(run) : run()).then(
      (result) => {
        if (this.dialect.endedTransaction(this.runner, result)) {
          this.abort(new UnitAbortedError('a statement ended the transaction (DDL commits on this database)'));
        }
        return result;
      },
      (error: unknown) => {
        this.#lastFailure = error;
        if (this.dialect.lostTransaction(this.runner, error)) this.abort(error);
        throw error;
      },
    );
  }

  #pop(owner: object): Savepoint & { readonly shared: boolean } {
    const top = this.#savepoints.pop(owner);
    if (top) return top;
    const error = new UnitAbortedError('nested transactions were not ended in the reverse order of their start');
    this.abort(error);
    throw error;
  }
}
