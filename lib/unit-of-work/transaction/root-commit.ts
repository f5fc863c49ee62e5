import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { CommitOutcomeUnknownError, UnitAbortedError } from '../../errors/units.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { type CommitAnswer, commitMayStand, type Dialect, type LastStatement } from '../dialects/dialect.js';
import { guardRefusal } from './guard-refusal.js';

const logger = new Logger('UnitOfWork');

/** The COMMIT of a root unit's transaction, and the statement that may be held back and sent with it. */
export class RootCommit {
  #last: LastStatement | undefined;

  constructor(
    private readonly dialect: Dialect,
    private readonly runner: QueryRunner,
  ) {}

  /** Whether a statement is held back. */
  get hasStatement(): boolean {
    return this.#last !== undefined;
  }

  /** Keeps the statement back; false where another one is, or where the database takes no statement with the COMMIT. */
  keep(last: LastStatement): boolean {
    if (this.#last || !this.dialect.commitWith(this.runner)) return false;
    this.#last = last;
    return true;
  }

  /** Sends the kept statement alone, because another one comes before the COMMIT. */
  async send(): Promise<void> {
    const last = this.#last;
    if (!last) return;
    this.#last = undefined;
    try {
      await this.dialect.query(this.runner, last.sql, last.parameters as unknown[]);
    } catch (cause) {
      const error = last.errorOf(cause);
      last.onEnd?.({ error });
      throw error;
    }
    last.onEnd?.();
  }

  /** Drops the statement that was held back: it is not sent any more. */
  drop(error: unknown): void {
    this.#last?.onEnd?.({ error });
    this.#last = undefined;
  }

  /**
   * Commits by `commit`, or together with the statement that was held back. Resolves with the reason if the database
   * rolled back instead without an error; throws CommitOutcomeUnknownError if the outcome is unknown. `failure` is the
   * error of the last statement that failed.
   */
  async run(commit: () => Promise<void>, failure: unknown): Promise<string | undefined> {
    const { dialect, runner } = this;
    const together = this.#last && dialect.commitWith(runner);
    if (this.#last && !together) await this.send();
    const last = this.#last;
    if (!last || !together) return judged(await dialect.commit(runner, commit));
    this.#last = undefined;
    try {
      const refusal = judged(await together(last), last);
      last.onEnd?.(refusal === undefined ? undefined : { error: new UnitAbortedError(refusal, failure) });
      return refusal;
    } catch (error) {
      last.onEnd?.({ error });
      throw error;
    }
  }
}

/** The result of the COMMIT, and of the statement that was sent with it. */
function judged(answer: CommitAnswer, last?: LastStatement): string | undefined {
  const { acknowledged, refusal, error, isBefore } = answer;
  if (acknowledged) {
    if (error !== undefined) logger.error('A subscriber failed after the commit, which stands', stackOf(error));
    return undefined;
  }
  if (refusal !== undefined) return refusal;
  if (commitMayStand(answer)) throw new CommitOutcomeUnknownError(error);
  throw isBefore && last ? last.errorOf(error) : (guardRefusal(error) ?? error);
}
