import type { UnitOptions } from '../unit-of-work/unit-options.js';

/** Metadata key of a decorated method. */
export const WITH_TASK_QUEUE = 'nestjs-files:with-task-queue';

/** What `@WithTaskQueue()` leaves on the method; the token links its wrapper and its interceptor. */
export interface Decoration {
  readonly options: Pick<UnitOptions, 'isolationLevel' | 'name' | 'retry' | 'timeout'>;
  readonly token: symbol;
}

/** The decoration of a handler, also where another decorator wrapped it and copied its metadata. */
export function decorationOf(handler: object): Decoration | undefined {
  return Reflect.getMetadata(WITH_TASK_QUEUE, handler) as Decoration | undefined;
}
