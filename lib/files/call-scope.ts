import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExecutionContext } from '@nestjs/common';
import type { FieldProblem } from '../errors/file-problem.js';

/** A call whose body is validated, decorated with `@WithTaskQueue()` or not. */
export interface CallScope {
  readonly context: ExecutionContext;
  /** What the validation of the call said about files. */
  readonly problems: FieldProblem[];
}

const storage = new AsyncLocalStorage<CallScope>();

export function inCallScope<T>(scope: CallScope, work: () => T): T {
  return storage.run(scope, work);
}

/** The call that is around. */
export function currentCall(): CallScope | undefined {
  return storage.getStore();
}
