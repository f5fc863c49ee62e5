import { FilesError } from './files-error.js';

/** A task was queued where no unit of work is open. */
export class OutOfQueueError extends FilesError {
  readonly code = 'FILES_OUT_OF_QUEUE';

  constructor(message = OutOfQueueError.remedy('A task was queued')) {
    super(message);
  }

  /** The sentence that says what happened, followed by what to do about it. */
  static remedy(what: string): string {
    return `${what} outside of a unit of work. Put @WithTaskQueue() on the handler or method, or wrap the call in TaskQueue.run().`;
  }
}
