import { LinkOptionInvalidError } from '../../errors/setup.errors.js';

const WEEK = 7 * 24 * 60 * 60;

/**
 * How long a signature has to live, as the presigner is told. S3 counts in seconds, and from the second in which was
 * signed.
 */
export function lifetimeUntil(expiresAt: Date): { expiresIn: number; signingDate: Date } {
  const now = Math.floor(Date.now() / 1000);
  const expiresIn = Math.floor(expiresAt.getTime() / 1000) - now;
  if (!(expiresIn > 0 && expiresIn <= WEEK))
    throw new LinkOptionInvalidError('expiresAt', expiresAt, 'within a week from now: S3 signs for no longer');
  return { expiresIn, signingDate: new Date(now * 1000) };
}
