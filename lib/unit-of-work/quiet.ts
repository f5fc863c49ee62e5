import type { ForeignTransaction } from './ambient.js';
import type { Scope } from './scope.js';

/**
 * The same outcome; but a refusal that comes after the scope has ended is no unhandled rejection: the unit itself has
 * already failed because of work that was not awaited, and nobody is left to hear it again.
 */
export function quietOnceEnded<T>(scope: Scope | ForeignTransaction | undefined, work: Promise<T>): Promise<T> {
  if (scope?.kind !== 'scope') return work;
  const promise = new Promise<T>((resolve, reject) => {
    work.then(resolve, (error: unknown) => {
      if (!scope.isActive) promise.catch(() => undefined);
      reject(error);
    });
  });
  return promise;
}
