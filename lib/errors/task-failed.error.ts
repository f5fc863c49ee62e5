import { FilesError } from './files-error.js';

/** Names the task that failed; it stands at the end of the `cause` chain of what the task threw. */
export class TaskFailedError extends FilesError {
  readonly code = 'FILES_TASK_FAILED';

  constructor(name: string, idx: number, count: number, cause?: unknown) {
    const place = count > 1 ? `tasks ${idx} to ${idx + count - 1} of the queue` : `task ${idx} of the queue`;
    super(`"${name}", ${place}, failed; the unit of work was rolled back.`, { cause });
  }

  /** What the task threw, so that filters still know it, with the task named in its `cause` chain. */
  static blame(thrown: unknown, name: string, idx: number, count: number): unknown {
    if (!(thrown instanceof Error)) return new TaskFailedError(name, idx, count, thrown);
    const chain = new Set<Error>();
    let last = thrown;
    while (last.cause instanceof Error && !chain.has(last)) {
      chain.add(last);
      last = last.cause;
    }
    if (last.cause === undefined && Object.isExtensible(last)) last.cause = new TaskFailedError(name, idx, count);
    return thrown;
  }
}
