import type { EntityManager } from 'typeorm';
import type { IsolationLevel } from './dialects/dialect.js';
import type { UnitOfWork } from './unit-of-work.js';

/** How a unit of work runs. */
export interface UnitOptions {
  /** Isolation of the transaction; READ COMMITTED by default. Only that of a root unit counts. */
  isolationLevel?: IsolationLevel;
  /** How often to run the work again after a deadlock or serialization failure. @default 0 */
  retry?: number;
  /** Milliseconds after which an open root unit is rolled back and its connection closed. @default 60000 */
  timeout?: number;
  /** Runs inside the transaction of this entity manager; its owner commits. */
  manager?: EntityManager;
  /** The name in traces and logs; by default that of the decorated method. */
  name?: string;
  /** Rolls the unit back when it is aborted. */
  signal?: AbortSignal;
}

/** The call that a unit of work is opened for. */
export type Work<T> = (unit: UnitOfWork) => T | Promise<T>;
