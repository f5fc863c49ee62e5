import type { ExecutionContext } from '@nestjs/common';
import type { FieldProblem } from '../errors/file-problem.js';
import { carried, carrying } from '../unit-of-work/scopes/ambient.js';

/** A call whose body is validated, decorated with `@WithTaskQueue()` or not. */
export class CallScope {
  /** What the validation of the call said about files. */
  readonly problems: FieldProblem[] = [];

  constructor(readonly context: ExecutionContext) {}
}

export function inCallScope<T>(scope: CallScope, work: () => T): T {
  return carrying(scope, work);
}

/** The call that is around. */
export function currentCall(): CallScope | undefined {
  return carried(CallScope);
}
