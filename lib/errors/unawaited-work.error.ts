import { FilesError } from './files-error.js';

/** A unit of work returned while work it had started was still running; it was rolled back. */
export class UnawaitedWorkError extends FilesError {
  readonly code = 'FILES_UNAWAITED_WORK';

  constructor(nested: number, statements: number) {
    const parts = [
      nested > 0 ? `${nested} nested call(s) or transaction(s)` : '',
      statements > 0 ? `${statements} statement(s) or stream(s)` : '',
    ].filter(Boolean);
    super(
      `The method returned while ${parts.join(' and ')} it had started were still running, so its work was rolled back. ` +
        'Await them, start them with TaskQueue.detach(), or queue them with afterCommit().',
    );
  }
}
