import { FilesError } from './files-error.js';

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
