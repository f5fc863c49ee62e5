import { FilesError } from './files-error.js';

/** A unit of work was still open, or waited for a connection, at its deadline; it was rolled back and its connection given up. */
export class UnitTimeoutError extends FilesError {
  readonly code = 'FILES_UNIT_TIMEOUT';

  constructor(milliseconds: number, isWaiting = false) {
    super(isWaiting ? waitingFor(milliseconds) : openAfter(milliseconds));
  }
}

function openAfter(milliseconds: number): string {
  return (
    `The unit of work was still open after ${milliseconds} ms and was rolled back. ` +
    'Move slow work out of it (afterCommit), or raise its `timeout`.'
  );
}

function waitingFor(milliseconds: number): string {
  return (
    `The unit of work waited ${milliseconds} ms for a connection, and nothing was executed. If its caller holds one, a query runner ` +
    'with an open transaction, run the work in that: TaskQueue.run(fn, { manager: queryRunner.manager }). Else the pool is too small.'
  );
}
