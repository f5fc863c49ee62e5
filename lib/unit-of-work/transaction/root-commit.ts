import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { CommitOutcomeUnknownError, UnitAbortedError } from '../../errors/units.errors.js';
import { stackOf } from '../../errors/stack-of.js';
import { type CommitAnswer, commitMayStand, type Dialect, type LastStatement } from '../dialects/dialect.js';
import { guardRefusal } from './guard-refusal.js';

const logger = new Logger('UnitOfWork');

interface WaitingStatement extends LastStatement {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The COMMIT of a root unit's transaction, and the statement that may be kept back to go to the server with it. */
export class RootCommit {
  #last: WaitingStatement | undefined;

  constructor(
    private readonly dialect: Dialect,
    private readonly runner: QueryRunner,
  ) {}

  /** Whether a statement is kept back. */
  get hasStatement(): boolean {
    return this.#last !== undefined;
  }

  /**
   * Keeps the statement back. The promise resolves when it has succeeded, and rejects when it fails or `reject()` is called. Undefined, and nothing
   * is kept back, where another one is, or where the database takes no statement with the COMMIT.
   */
  keep(last: LastStatement): Promise<void> | undefined {
    if (this.#last || !this.dialect.commitWith(this.runner)) return undefined;
    return new Promise((resolve, reject) => {
      this.#last = { ...last, resolve, reject };
    });
  }

  /** Sends what is kept back alone, because something comes before the COMMIT. */
  async send(): Promise<void> {
    if (!this.#last) return;
    const { sql, parameters, errorOf, resolve, reject } = this.#last;
    this.#last = undefined;
    try {
      await this.dialect.query(this.runner, sql, parameters as unknown[]);
      resolve();
    } catch (error) {
      const told = errorOf(error);
      reject(told);
      throw told;
    }
  }

  /** Nothing is sent any more. */
  reject(error: unknown): void {
    this.#last?.reject(error);
  }

  /**
   * Commits by `commit`, or together with what is kept back. Resolves with why the database rolled back instead, where it says so without an
   * error; throws CommitOutcomeUnknownError if nobody can say what it did. `failure` is what the last statement that failed was told.
   */
  async run(commit: () => Promise<void>, failure: unknown): Promise<string | undefined> {
    const { dialect, runner } = this;
    const together = this.#last && dialect.commitWith(runner);
    if (this.#last && !together) await this.send();
    const last = this.#last;
    if (!last || !together) return judged(() => dialect.commit(runner, commit));
    try {
      const refusal = await judged(() => together(last), last);
      if (refusal === undefined) last.resolve();
      else last.reject(new UnitAbortedError(refusal, failure));
      return refusal;
    } catch (error) {
      last.reject(error);
      throw error;
    }
  }
}

/** What the answer to the COMMIT, and to the statement that went with it, comes to. */
async function judged(commit: () => Promise<CommitAnswer>, last?: LastStatement): Promise<string | undefined> {
  const answer = await commit();
  const { acknowledged, refusal, error, isBefore } = answer;
  if (acknowledged) {
    if (error !== undefined) logger.error('A subscriber failed after the commit, which stands', stackOf(error));
    return undefined;
  }
  if (refusal !== undefined) return refusal;
  if (commitMayStand(answer)) throw new CommitOutcomeUnknownError(error);
  throw isBefore && last ? last.errorOf(error) : (guardRefusal(error) ?? error);
}
