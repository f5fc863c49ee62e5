import { Logger } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { CommitOutcomeUnknownError } from '../../errors/units.errors.js';
import { commitMayStand, type Dialect } from '../dialects/dialect.js';
import { stackOf } from '../../errors/stack-of.js';
import { guardRefusal } from './guard-refusal.js';

const logger = new Logger('UnitOfWork');

/**
 * Commits the runner's transaction by `commit`. Resolves with why the database rolled back instead, where it says so without an error;
 * throws CommitOutcomeUnknownError if nobody can say what it did.
 */
export async function commitRoot(
  dialect: Dialect,
  runner: QueryRunner,
  commit: () => Promise<void>,
): Promise<string | undefined> {
  const answer = await dialect.commit(runner, commit);
  const { acknowledged, refusal, error } = answer;
  if (acknowledged) {
    if (error !== undefined) logger.error('A subscriber failed after the commit, which stands', stackOf(error));
    return undefined;
  }
  if (refusal !== undefined) return refusal;
  throw commitMayStand(answer) ? new CommitOutcomeUnknownError(error) : (guardRefusal(error) ?? error);
}
