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
