import { FilesError } from './files-error.js';

/** An option of `FilesModule` cannot be honoured. Thrown at boot. */
export class OptionInvalidError extends FilesError {
  readonly code = 'FILES_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    reason: string,
  ) {
    super(`FilesModule option "${option}": ${reason}.`);
  }
}

/** An option of `FilesAudit.run()` cannot be honoured. */
export class AuditOptionInvalidError extends FilesError {
  readonly code = 'FILES_AUDIT_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    reason: string,
  ) {
    super(`FilesAudit option "${option}": ${reason}.`);
  }
}

/** An option of `FilesMover.run()` or `FilesMirror.run()` cannot be honoured. */
export class MoveOptionInvalidError extends FilesError {
  readonly code = 'FILES_MOVE_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    reason: string,
  ) {
    super(`Option "${option}" of FilesMover or FilesMirror: ${reason}.`);
  }
}

/** A link was asked for that cannot be made. */
export class LinkOptionInvalidError extends FilesError {
  readonly code = 'FILES_LINK_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    /** The given value. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`The link option "${option}" is ${JSON.stringify(value)}; it must be ${expected}.`);
  }
}

/** A storage was configured with a value that makes no sense. */
export class StorageOptionInvalidError extends FilesError {
  readonly code = 'FILES_STORAGE_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    /** The given value. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`Storage option "${option}" is ${JSON.stringify(value)}. Expected: ${expected}.`);
  }
}

/** One storage object was configured under two names. */
export class StorageNamedTwiceError extends FilesError {
  readonly code = 'FILES_STORAGE_NAMED_TWICE';

  constructor(
    /** The name that it has. */
    readonly first: string,
    /** The name that it was to get. */
    readonly second: string,
  ) {
    super(`One storage is configured as "${first}" and as "${second}". Create a separate storage for each name.`);
  }
}

/**
 * A storage is not the place that the database knows by its name: it is not mounted, or another database's. Nothing was
 * changed.
 */
export class StorageMarkMismatchedError extends FilesError {
  readonly code = 'FILES_STORAGE_MARK_MISMATCHED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where it is: for `fsStorage`, its root. */
    readonly place: string,
    /** The problem, and its remedy. */
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Storage "${storage}" at ${place}: ${reason}`, options);
  }
}

/** A transfer task was told to find its owner in a way that does not exist. */
export class TransferStrategyUnknownError extends FilesError {
  readonly code = 'FILES_TRANSFER_STRATEGY_UNKNOWN';

  constructor(
    /** The given value. */
    readonly strategy: unknown,
  ) {
    super(`Strategy ${JSON.stringify(strategy)} of OwnershipTransferTask is not known. Use 'path' or 'value'.`);
  }
}

/** A decorator stands where it cannot keep its promise. Thrown while classes are defined or at boot. */
export class DecorationInvalidError extends FilesError {
  readonly code = 'FILES_DECORATION_INVALID';

  constructor(decorator: string, place: string, why: string) {
    super(`${decorator} on ${place}: ${why}`);
  }
}

/** The data source names one database and is connected to another. Thrown at boot where that would lose data. */
export class DatabaseMismatchError extends FilesError {
  readonly code = 'FILES_DATABASE_MISMATCH';

  constructor(
    /** As configured. */
    readonly type: string,
    /** The version that the server reports. */
    readonly server: string,
  ) {
    super(
      `The data source has the type "${type}", but its server is ${server}. With \`synchronize\`, TypeORM would drop the JSON ` +
        `columns of files and add them again, empty. Set \`type: '${type === 'mysql' ? 'mariadb' : 'mysql'}'\`.`,
    );
  }
}

/** The data source does not know the library's entities. Thrown at boot. */
export class EntitiesMissingError extends FilesError {
  readonly code = 'FILES_ENTITIES_MISSING';

  constructor(
    /** The data source's name. */
    readonly dataSource: string,
    /** The names of the entities. */
    readonly missing: readonly string[],
  ) {
    super(
      `Data source "${dataSource}" lacks the entities ${missing.join(', ')}. Set \`autoLoadEntities: true\` in ` +
        'TypeOrmModule.forRoot(), or list them: `entities: [...FILES_ENTITIES, …]`.',
    );
  }
}

/** The database did not give the lock that lets one process migrate at a time. Nothing was changed. */
export class MigrationLockRefusedError extends FilesError {
  readonly code = 'FILES_MIGRATION_LOCK_REFUSED';

  constructor(
    /** The lock's name. */
    readonly lock: string,
  ) {
    super(
      `The database refused the lock "${lock}", which lets one process migrate at a time. ` +
        'See which connection holds it, end that one, and migrate again.',
    );
  }
}

/** A task or a constraint ran where it cannot be told which application's files it is about. */
export class RuntimeMissingError extends FilesError {
  readonly code = 'FILES_RUNTIME_MISSING';

  constructor(what: string) {
    super(`${what}. Import FilesModule.forRoot() in the application, once per data source.`);
  }
}
