import { Logger } from '@nestjs/common';
import { CommitOutcomeUnknownError } from '../../errors/units.errors.js';
import { type CommitAnswer, commitMayStand, type LastStatement } from '../dialects/dialect.js';
import { stackOf } from '../../errors/stack-of.js';
import { guardRefusal } from './guard-refusal.js';

const logger = new Logger('UnitOfWork');

/**
 * Commits by `commit`, which may send the last statement together with the COMMIT. Resolves with why the database rolled back instead, where it
 * says so without an error; throws CommitOutcomeUnknownError if nobody can say what it did.
 */
export async function commitRoot(
  commit: () => Promise<CommitAnswer>,
  last?: LastStatement,
): Promise<string | undefined> {
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
