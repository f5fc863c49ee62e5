import { databaseFault } from './database-fault.js';

const CONTENTION = new Set(['deadlock', 'serialization', 'lock-timeout']);
const noted = new WeakSet();

/**
 * An error of the database by which a unit of work of its own transaction was rolled back, because other transactions
 * were in the way. It stays the error of the driver, which callers of the unit know; `instanceof` tells, so that it can
 * be given to `@Catch()`.
 */
export abstract class Contention extends Error {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return typeof error === 'object' && error !== null && noted.has(error);
  }
}

/** A unit of work was rolled back by the error: a `Contention` from now on, if it is about other transactions. */
export function noteContention(error: unknown): void {
  if (error instanceof Error && CONTENTION.has(databaseFault(error))) noted.add(error);
}
