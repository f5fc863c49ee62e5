import type { QueryRunner } from 'typeorm';
import { UnitAbortedError } from '../../errors/units.errors.js';
import { commitMayStand, type Dialect } from '../dialects/dialect.js';
import { depthOf } from '../transaction/transaction-state.js';

type Outcome = 'commit' | 'rollback';

/** A joined unit that waits for the outcome of the transaction it was part of. */
interface Waiting {
  /** The number of transactions and savepoints around it. */
  depth: number;
  readonly run: (outcome: Outcome) => unknown;
  outcome: Outcome | 'unknown' | undefined;
}

/** The units that wait for the end of the transactions that the application opens on a query runner. */
export class ForeignEnds {
  readonly #waiting: Waiting[] = [];
  #dialect: Dialect | undefined;
  #isCommitting = false;

  constructor(private readonly runner: QueryRunner) {}

  /**
   * Calls `run` when the application has ended the transaction that is open now and has released the connection:
   * earlier, a pool of one would have none left for it. Released without a commit counts as a rollback.
   */
  add(dialect: Dialect, run: Waiting['run']): void {
    this.#dialect = dialect;
    this.#waiting.push({ depth: depthOf(this.runner), run, outcome: undefined });
  }

  /** Lets `send` commit the whole transaction, and notes its outcome for the units that wait. */
  async commit<T>(send: () => Promise<T>): Promise<T | undefined> {
    // A unit that joined when subscribers heard of the COMMIT comes too late for the call of the query runner's method,
    // but not for its statement.
    if (!this.#dialect || this.#isCommitting) return send();
    this.#isCommitting = true;
    try {
      let sent: T | undefined;
      const answer = await this.#dialect.commit(this.runner, async () => void (sent = await send()));
      if (answer.acknowledged) this.#settle('commit');
      else this.#settle(commitMayStand(answer) ? 'unknown' : 'rollback');
      if (answer.refusal !== undefined) throw new UnitAbortedError(answer.refusal);
      if (answer.error !== undefined) throw answer.error;
      return sent;
    } finally {
      this.#isCommitting = false;
    }
  }

  /** Notes that a savepoint was released: the work inside of it now belongs to the scope around it. */
  savepointReleased(): void {
    for (const unit of this.#waiting) unit.depth = Math.min(unit.depth, depthOf(this.runner));
  }

  rolledBack(): void {
    this.#settle('rollback');
  }

  /** Runs what waits, except for an outcome that is unknown. */
  async released(): Promise<void> {
    for (const { outcome = 'rollback', run } of this.#waiting) if (outcome !== 'unknown') await run(outcome);
  }

  #settle(outcome: Outcome | 'unknown'): void {
    // TypeORM takes a transaction for open if its COMMIT was lost, or has just been done.
    const depth = this.runner.isTransactionActive && outcome === 'rollback' ? depthOf(this.runner) : 0;
    for (const unit of this.#waiting) if (unit.depth > depth) unit.outcome ??= outcome;
  }
}
