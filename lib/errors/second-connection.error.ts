import { FilesError } from './files-error.js';

/** SQLite and PGlite have one connection, and the caller itself holds it: waiting for it would never end. */
export class SecondConnectionError extends FilesError {
  readonly code = 'FILES_SECOND_CONNECTION';

  constructor(where: string) {
    super(
      `A second connection was asked for inside ${where}, which holds the only one. ` +
        'Use the data source or repositories in place of an older query runner, or do the work in afterCommit().',
    );
  }
}
