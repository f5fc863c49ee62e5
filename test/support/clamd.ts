import { findClamd } from '../../scripts/clamd.mjs';

/** Whether clamd is installed; says so where it is not. */
export function hasClamd(): boolean {
  const isThere = findClamd() !== undefined;
  if (!isThere) console.log('clamd is not installed: the tests with it are skipped');
  return isThere;
}
