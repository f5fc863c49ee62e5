import { problemText, UNAVAILABLE } from './file-problem.js';
import { FilesError } from './files-error.js';

/** One request names one file for several owners; a file has at most one. */
export class OwnerConflictError extends FilesError {
  readonly code = 'FILES_OWNER_CONFLICT';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** Each as its type and id. */
    readonly owners: readonly string[],
  ) {
    super(`File ${fileId} is named for several owners: ${owners.join(', ')}. A file has one owner: name it once.`);
  }
}

/** An owner is not removed, because it owns files and its class says `onDelete: 'restrict'`. */
export class OwnerHasFilesError extends FilesError {
  readonly code = 'FILES_OWNER_HAS_FILES';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id. */
    readonly ownerId: string,
    /** How many files it owns. */
    readonly count: number,
  ) {
    const files = count === 1 ? 'a file' : `${count} files`;
    super(`${ownerType} ${ownerId} owns ${files}, so it is not removed: transfer or delete its files first.`);
  }
}

/** A file was to be given to an owner whose records name their files, past the record. Nothing was done. */
export class OwnerNamesFilesError extends FilesError {
  readonly code = 'FILES_OWNER_NAMES_FILES';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    options?: ErrorOptions,
  ) {
    super(
      `The files of every ${ownerType} are those that it names. Change the ${ownerType} itself, by the route that saves it.`,
      options,
    );
  }
}

/** Files are to be transferred to an owner that is not there. */
export class OwnerNotFoundError extends FilesError {
  readonly code = 'FILES_OWNER_NOT_FOUND';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id. */
    readonly ownerId: string,
  ) {
    super(`There is no ${ownerType} ${JSON.stringify(ownerId)}, so it can own no files: save it before the transfer.`);
  }
}

/** It cannot be told which entity of the result a file belongs to, so nothing was saved. A fault of the application. */
export class OwnerNotResolvedError extends FilesError {
  readonly code = 'FILES_OWNER_NOT_RESOLVED';

  constructor(
    /** The DTO and its field: `ResourceDto.fileId`; or the task. */
    readonly place: string,
    /**
     * The file that was to get an owner; none where the field was emptied, and the file it held before is looked for.
     */
    readonly fileId: string | undefined,
    reason: string,
  ) {
    const question = fileId === undefined ? 'whose field was emptied' : `who becomes the owner of file ${fileId}`;
    super(
      `${place}: cannot tell ${question}: ${reason}. Name the owner with queue.bind(dto, entity) in the handler, ` +
        `or with owner: (result, dto) => entity in the field's decorator; or return entities with the id and the field that names the file.`,
    );
  }
}

/** An owner that no file may have. */
export class OwnerReferenceInvalidError extends FilesError {
  readonly code = 'FILES_OWNER_REFERENCE_INVALID';

  constructor(
    /** Which part of the owner. */
    readonly field: 'type' | 'id',
    /** The given value. */
    readonly value: unknown,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Owner ${field} ${JSON.stringify(value)?.slice(0, 300)} is refused: ${reason}.`, options);
  }
}

/** An owner has no room for more: bytes, or files. */
export class QuotaExceededError extends FilesError {
  readonly code = 'FILES_QUOTA_EXCEEDED';

  constructor(
    /** The owner's type. */
    readonly ownerType: string,
    /** The owner's id; undefined where the file is too large for each owner of the type. */
    readonly ownerId: string | undefined,
    /** The exceeded quota. */
    readonly limited: 'bytes' | 'count',
    /** The quota. */
    readonly limit: number,
    /** The amount that the owner would have. */
    wanted: number,
  ) {
    const things = limited === 'bytes' ? 'bytes' : 'files';
    super(
      ownerId === undefined
        ? `Each ${ownerType} may have ${limit} ${things}, and would have ${wanted}. Send a smaller file, or raise its quota.`
        : `${ownerType} ${ownerId} may have ${limit} ${things}, and would have ${wanted}. Delete some of its files, or raise its quota.`,
    );
  }
}

/** Where a file is named. */
export interface FileUse {
  /** The owner's type. */
  readonly ownerType: string;
  /** The owner's id. */
  readonly ownerId: string;
  /** The declared field. */
  readonly field: string;
}

/** A file was deleted or transferred, but a record still names it, so nothing was done. */
export class FilesInUseError extends FilesError {
  readonly code = 'FILES_IN_USE';

  constructor(
    /** The file; of several that were to be deleted together, one of these. */
    readonly fileIds: readonly string[],
    /** The record; undefined where all that is known is that a foreign key refers to the file. */
    readonly use?: FileUse,
    options?: ErrorOptions,
  ) {
    const [first, ...others] = fileIds;
    const files = others.length === 0 ? `file ${first}` : `one of ${fileIds.length} files, like ${first}`;
    const record = use
      ? `${use.ownerType} ${use.ownerId} still names ${files} in ${use.field}`
      : `A record still names ${files}`;
    super(`${record}. Change the record first, or in the same unit of work.`, options);
  }
}

/**
 * A file was to become a record's, but no row of the owner type names it, so nothing was saved. A fault of the
 * application.
 */
export class FilesNotNamedError extends FilesError {
  readonly code = 'FILES_NOT_NAMED';

  constructor(
    /** The DTO and its field, or the task. */
    readonly place: string,
    /** The file. */
    readonly fileId: string,
    /** The owner type. */
    readonly ownerType: string,
  ) {
    super(
      `${place}: no ${ownerType} names file ${fileId} in a field with @FileField(), so nothing was saved. Save the field, and see that ` +
        'TypeORM writes it: a loaded relation beside the column takes precedence.',
    );
  }
}

/** A row names files that are not its own, so nothing was saved. */
export class FilesNotOwnError extends FilesError {
  readonly code = 'FILES_NOT_OWN';

  constructor(
    /** The entity class. */
    readonly entityName: string,
    /** The row's owner id. */
    readonly ownerId: string,
    /** The field that names them. */
    readonly field: string,
    /**
     * The refused values of the field: ids of files that belong to another owner or do not exist, and values that are
     * not ids.
     */
    readonly fileIds: readonly string[],
    options?: ErrorOptions,
  ) {
    const [first] = fileIds;
    const files =
      fileIds.length === 1 ? `file ${first}, which is` : `${fileIds.length} files, like ${first}, which are`;
    super(
      `${entityName} ${ownerId}: ${field} names ${files} not its own, so nothing was saved. Put @TransferOwnership() on the field of the ` +
        'DTO and @WithTaskQueue() on the handler, or transfer the file in the same transaction.',
      options,
    );
  }

  /**
   * As validation says it: clients do not learn whether a foreign file exists, nor how the application is to be mended.
   */
  override get publicMessage(): string {
    return `${this.field}: ${problemText(UNAVAILABLE)}`;
  }
}

/**
 * A statement would write rows of a guarded class that cannot be checked before the commit. The application is at
 * fault.
 */
export class RecordWriteUnseenError extends FilesError {
  readonly code = 'FILES_RECORD_WRITE_UNSEEN';

  constructor(
    /** The entity class. */
    readonly entityName: string,
    /** The refused statement. */
    readonly statement: string,
    remedy = 'Read the rows first, then save() or insert() them.',
  ) {
    super(
      `${statement} was refused: ${entityName} has @FileField() columns, and the files that its rows would name cannot be checked. ${remedy}`,
    );
  }
}

/** The database cannot guard the rows of a class. Thrown by migrations. */
export class DatabaseGuardImpossibleError extends FilesError {
  readonly code = 'FILES_DATABASE_GUARD_IMPOSSIBLE';

  constructor(
    /** The entity class or the table. */
    readonly place: string,
    reason: string,
  ) {
    super(`The database cannot guard ${place}: ${reason}`);
  }
}
