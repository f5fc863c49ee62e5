import { FilesError } from './files-error.js';

/** A nested transaction asked for a stronger isolation than the transaction that it is in has, or is known to have. It was not begun. */
export class IsolationLevelError extends FilesError {
  readonly code = 'FILES_ISOLATION_LEVEL';

  constructor(requested: string, actual: string | undefined) {
    const level = actual ?? 'a level that cannot be found out';
    super(
      `A nested transaction asked for ${requested}, but the transaction that it is in runs at ${level}. Ask where that one begins: ` +
        `@WithTaskQueue({ isolationLevel: '${requested}' }) or dataSource.transaction('${requested}', …).`,
    );
  }
}
