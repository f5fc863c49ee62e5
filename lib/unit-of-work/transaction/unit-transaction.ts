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
 * The transaction of a unit of work on its one connection. Statements run one at a time; after the end was
 * requested, or the database has ended the transaction, nothing more is executed.
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
  /** The object that facades of its runner inherit from, made with the first one. */
  facadePrototype: object | undefined;
  /** Whether a failure of work that was left running has been logged. */
  hasToldLateFailure = false;
  #onLost: (() => void) | undefined;

  constructor(
    readonly dataSource: DataSource,
    readonly runner: QueryRunner,
    readonly dialect: Dialect,
    /** The isolation that the unit or the application asked for at its beginning. */
    private readonly begunWith: BegunWith,
    /** Lasts as long as the database's transaction: longer than the unit, where the application opened it. */
    readonly state: TransactionState,
  ) {
    this.#baseDepth = depthOf(runner);
    this.#end = new RootCommit(dialect, runner);
  }

  /** Whether the application opened the transaction that the unit is in. */
  get isJoined(): boolean {
    return this.#baseDepth > 0;
  }

  /** The isolation that it is known to have. */
  get isolation(): IsolationLevel | undefined {
    return this.begunWith === 'none' ? undefined : this.begunWith;
  }

  get isSealed(): boolean {
    return this.#sealed;
  }

  /** The witnesses that can tell whether it was committed, without those that a savepoint has undone. */
  get witnesses(): readonly Witness[] {
    return this.#identity ? [this.#identity, ...this.#witnesses] : this.#witnesses;
  }

  /** Whether the database can be asked about the end of the transaction, without witnesses. */
  get isIdentified(): boolean {
    return this.#identity !== undefined;
  }

  /** Lets this witness, which identifies the transaction itself, be asked first. */
  identify(witness: () => Witness): void {
    if (!this.isJoined) this.#identity ??= witness();
  }

  addWitness(witness: Witness): void {
    this.#witnesses.push(witness);
  }

  /** Whether the flow is in the turn of one of its statements. */
  get hasTurn(): boolean {
    return this.#turnstile.isMine;
  }

  begin(isolation?: IsolationLevel): Promise<void> {
    const start = (at?: IsolationLevel): Promise<void> => this.runner.startTransaction(at);
    return this.#turnstile.exclusive(() => this.#asForeign(() => this.dialect.begin(this.runner, start, isolation)));
  }

  /** Makes every later statement and the commit fail with this error. */
  abort(error: unknown): void {
    this.#doom ??= { error };
  }

  /**
   * Keeps the statement back, and sends it together with the COMMIT; if another one comes before, it is sent first. False, and nothing is kept
   * back, where that cannot be.
   */
  endWith(last: LastStatement): boolean {
    const isPlain = !this.isJoined && !this.#sealed && !this.#doom && !this.#savepoints.areOpen;
    // Without its identity, the outcome of a transaction that waits for a lock in the same message could not be found out.
    return isPlain && this.isIdentified && this.#end.keep(last);
  }

  /** Runs one statement of the scope, through the query runner that it was given to. */
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

  /** The driver's connection, in the transaction. */
  async connection(): Promise<unknown> {
    if (!this.#isUsed) await this.#turnstile.exclusive(() => this.#observe(() => this.dialect.ready(this.runner)));
    return this.runner.connect();
  }

  /** Opens a stream and holds the connection until it is closed. */
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

  /** Throws IsolationLevelRefusedError if it does not run, or is not known to run, at this isolation or a stronger one. */
  async assertIsolation(requested: IsolationLevel): Promise<void> {
    const actual = await (this.#baseDepth === 0
      ? this.isolation
      : this.#turnstile.exclusive(() => this.#observe(() => this.dialect.isolationOf(this.runner, this.begunWith))));
    if (strongerIsolation(requested, actual)) throw new IsolationLevelRefusedError(requested, actual);
  }

  /** Opens a savepoint; `scope` is the place whose work belongs inside of it. */
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

  /** Undoes the work since the savepoint; if that is impossible, the whole unit is doomed. Never throws. */
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
            'work beside a nested transaction was undone with it; await one, then start the other',
          );
      } catch (error) {
        this.abort(error);
      }
    });
  }

  /** Commits. Throws UnitAbortedError if the database did not commit, and CommitOutcomeUnknownError if that is unknown. */
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

  /** Rolls back; resolves with true if the connection is known to be out of the transaction. Never throws. */
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
        logger.warn(`ROLLBACK failed, the connection is given up: ${String(error)}`);
        return false;
      }
    });
    // A statement on a connection that was given up may never come back.
    const lost = new Promise<false>((resolve) => {
      this.#onLost = () => resolve(false);
      if (this.#isLost) this.#onLost();
    });
    return Promise.race([done, lost]);
  }

  /** Ends without a statement, because the transaction that it has joined is about to be rolled back. Never throws. */
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

  /** Takes the connection from its holder, and out of the pool. Never throws. */
  async giveUp(): Promise<void> {
    this.#sealed = true;
    this.#isLost = true;
    this.#onLost?.();
    try {
      await this.dialect.destroy(this.runner);
    } catch (error) {
      logger.error('A connection could not be given up', stackOf(error));
    }
  }

  // TypeORM's subscribers see the root transaction like any other: they share SQLite's one connection.
  #asForeign<T>(run: () => Promise<T>): Promise<T> {
    const { dataSource, runner, begunWith: isolation } = this;
    const line = lineOf(runner);
    const node: ForeignTransaction = { kind: 'foreign', enclosing: ambientNode(), dataSource, runner, isolation, line };
    return within(node, run);
  }

  #admit(scope: Origin, through: object, sql: string): void {
    scope.assertActive('A query was issued');
    this.#assertUsable();
    if (this.dialect.endsTransaction(sql)) this.#refuse(sql);
    // To a savepoint that is not known here, so that the undone part is unknown.
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
    if (this.#sealed) throw new UnitEndedError('A query was issued');
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
