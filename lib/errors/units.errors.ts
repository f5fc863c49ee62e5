import { FilesError } from './files-error.js';
import { reasonOf } from './reason-of.js';

/** The connection was lost before COMMIT took effect, and the database says that the work was rolled back. */
export class CommitLostError extends FilesError {
  readonly code = 'FILES_COMMIT_LOST';

  constructor(cause: unknown) {
    super('The connection was lost during COMMIT, and nothing was saved: the request may be sent again.', { cause });
  }
}

/**
 * The connection was lost while COMMIT was under way. The work is either saved whole or not at all; which one is
 * unknown.
 */
export class CommitOutcomeUnknownError extends FilesError {
  readonly code = 'FILES_COMMIT_OUTCOME_UNKNOWN';

  constructor(cause: unknown) {
    super('The connection was lost during COMMIT: look at the record before you send the request again.', { cause });
  }
}

/**
 * A nested transaction asked for a stronger isolation than the transaction that it is in has, or is known to have. It
 * was not begun.
 */
export class IsolationLevelRefusedError extends FilesError {
  readonly code = 'FILES_ISOLATION_LEVEL_REFUSED';

  constructor(requested: string, actual: string | undefined) {
    const level = actual ?? 'a level that cannot be found out';
    super(
      `A nested transaction asked for ${requested}, but the transaction that it is in runs at ${level}. Ask where that one begins: ` +
        `@WithTaskQueue({ isolationLevel: '${requested}' }) or dataSource.transaction('${requested}', …).`,
    );
  }
}

/** The one connection, of SQLite or PGlite, did not become free in time. Nothing was executed. */
export class LeaseTimeoutError extends FilesError {
  readonly code = 'FILES_LEASE_TIMEOUT';

  constructor(milliseconds: number) {
    super(
      `The database has one connection, and it was busy for ${milliseconds} ms. ` +
        'If detached work is awaited inside the unit it was detached from, do not await it there: use afterCommit(). ' +
        'If the caller holds a query runner with an open transaction, run the work in that: TaskQueue.run(fn, { manager }).',
    );
  }
}

/** A task was queued where no unit of work is open. */
export class TaskQueueMissingError extends FilesError {
  readonly code = 'FILES_TASK_QUEUE_MISSING';

  constructor(message = TaskQueueMissingError.remedy('A task was queued')) {
    super(message);
  }

  /** A sentence on the problem, and one on the remedy. */
  static remedy(what: string): string {
    return `${what} outside of a unit of work. Put @WithTaskQueue() on the handler or method, or wrap the call in TaskQueue.run().`;
  }
}

/** SQLite and PGlite have one connection, and the caller itself holds it: waiting for it would never end. */
export class SecondConnectionMissingError extends FilesError {
  readonly code = 'FILES_SECOND_CONNECTION_MISSING';

  constructor(where: string) {
    super(
      `A second connection was asked for inside ${where}, which holds the only one. ` +
        'Use the data source or repositories in place of an older query runner, or do the work in afterCommit().',
    );
  }
}

/**
 * The application is shutting down: a unit of work was not begun, or was rolled back because it was open for too long.
 */
export class ShuttingDownError extends FilesError {
  readonly code = 'FILES_SHUTTING_DOWN';

  /**
   * @param waited how many milliseconds the shutdown waited for a unit that was open; none for one that was not begun
   */
  constructor(waited?: number) {
    super(
      waited === undefined
        ? 'The application is shutting down, and begins no new unit of work.'
        : `The application is shutting down; a unit of work was still open after ${waited} ms and was rolled back. ` +
            'The option `shutdownTimeout` of FilesModule says how long to wait.',
    );
  }
}

/** Names the task that failed, at the end of the `cause` chain of the task's own error. */
export class TaskFailedError extends FilesError {
  readonly code = 'FILES_TASK_FAILED';

  constructor(name: string, idx: number, count: number, cause?: unknown) {
    const place = count > 1 ? `tasks ${idx} to ${idx + count - 1} of the queue` : `task ${idx} of the queue`;
    super(`"${name}", ${place}, failed; the unit of work was rolled back.`, { cause });
  }

  /** The task's own error, which exception filters know, with the task named in its `cause` chain. */
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

/** A decorated method was handed a transaction that its unit of work would not be in: two would commit apart. */
export class TransactionNotJoinedError extends FilesError {
  readonly code = 'FILES_TRANSACTION_NOT_JOINED';

  constructor(place: string) {
    super(
      `${place} was called with an entity manager whose open transaction it cannot see, so its unit of work would use another transaction. ` +
        'Call it inside of TaskQueue.run(() => …, { manager }), or open the transaction with dataSource.transaction().',
    );
  }
}

/** A unit of work returned while work it had started was still running; it was rolled back. */
export class WorkUnawaitedError extends FilesError {
  readonly code = 'FILES_WORK_UNAWAITED';

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

/** The unit's transaction cannot be committed any more: the database or the caller ended it. `cause` says why. */
export class UnitAbortedError extends FilesError {
  readonly code = 'FILES_UNIT_ABORTED';

  constructor(why: string, cause?: unknown) {
    super(`The unit of work was rolled back: ${why}.`, { cause });
  }
}

/** Work that was left running used the transaction of a unit of work that is over. Nothing was executed. */
export class UnitEndedError extends FilesError {
  readonly code = 'FILES_UNIT_ENDED';

  constructor(what: string) {
    super(
      `${what} after its unit of work had ended. Await all work inside the decorated method, ` +
        'or start it with TaskQueue.detach() if it is meant to outlive the unit.',
    );
  }
}

/**
 * Other transactions were in the way of a unit of work: a deadlock, a serialization failure, or a lock that did not
 * become free in time. The unit was rolled back. This is the answer to clients; in the application, the unit fails with
 * the error of the driver, which is the `cause`.
 */
export class DatabaseBusyError extends FilesError {
  readonly code = 'FILES_DATABASE_BUSY';

  constructor(cause: unknown) {
    super(
      `Other transactions were in the way, and the unit of work was rolled back: ${reasonOf(cause)}. ` +
        'Send the request again, or let the unit run again by its option `retry`.',
      { cause },
    );
  }
}

/**
 * A unit of work was still open, or waited for a connection, at its deadline; it was rolled back and its connection
 * given up.
 */
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
