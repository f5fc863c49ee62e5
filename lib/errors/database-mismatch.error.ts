import { FilesError } from './files-error.js';

/** The data source names one database and is connected to another. Thrown at boot where that would lose data. */
export class DatabaseMismatchError extends FilesError {
  readonly code = 'FILES_DATABASE_MISMATCH';

  constructor(
    /** As configured. */
    readonly type: string,
    /** What the server says it is. */
    readonly server: string,
  ) {
    super(
      `The data source has the type "${type}", but its server is ${server}. With \`synchronize\`, TypeORM would drop the JSON ` +
        `columns of files and add them again, empty. Set \`type: '${type === 'mysql' ? 'mariadb' : 'mysql'}'\`.`,
    );
  }
}
