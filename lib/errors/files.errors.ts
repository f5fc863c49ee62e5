import type { FieldProblem } from './file-problem.js';
import { FilesError, type FilesErrorBody } from './files-error.js';

/**
 * The file has no derived file of this kind: no method derives the kind from this type, the method returned null, or
 * all attempts failed.
 */
export class DerivedFileMissingError extends FilesError {
  readonly code = 'FILES_DERIVED_FILE_MISSING';

  constructor(
    /** The original. */
    readonly fileId: string,
    /** The kind, as in `@DerivedFile()`. */
    readonly kind: string,
    /** `unsuitable`: the kind is not derived from files of this type. `failed`: it could not be made. */
    readonly reason: 'unsuitable' | 'failed',
  ) {
    super(
      reason === 'unsuitable'
        ? `No ${kind} is derived from files of the type of file ${fileId}.`
        : `The ${kind} of file ${fileId} could not be made. If its job has failed, the failed jobs have the reason.`,
    );
  }
}

/**
 * Somebody else gave away, pinned or deleted the files between the check and the transfer. Another attempt sees the new
 * state.
 */
export class FileChangedError extends FilesError {
  readonly code = 'FILES_FILE_CHANGED';

  constructor(
    /** The files. */
    readonly fileIds: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      `Changed since it was checked: file ${fileIds.join(', ')}. Nothing was saved; send the request again.`,
      options,
    );
  }
}

/** The bytes in the storage are not those whose hash the file remembers. */
export class FileCorruptError extends FilesError {
  readonly code = 'FILES_FILE_CORRUPT';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** The storage's name. */
    readonly storage: string,
  ) {
    super(
      `The bytes of file ${fileId} in storage "${storage}" do not have the size and hash that it had when it was stored.`,
    );
  }
}

/** A name that no file may have. */
export class FileNameInvalidError extends FilesError {
  readonly code = 'FILES_FILE_NAME_INVALID';

  constructor(
    /** The given value. */
    readonly value: unknown,
    reason: string,
  ) {
    super(`File name ${JSON.stringify(value)?.slice(0, 300)} is refused: ${reason}.`);
  }
}

/** The metadata of a file is not a plain object, would be changed by JSON, or is too large. */
export class FileMetadataInvalidError extends FilesError {
  readonly code = 'FILES_FILE_METADATA_INVALID';

  constructor(
    /** Where in the value: `metadata.tags[3]`. */
    readonly place: string,
    what: string,
    remedy: string,
  ) {
    super(`The ${place} of a file ${what}. ${remedy}.`);
  }
}

/**
 * The application refuses a stored file. Throw this error in a hook (`@OnFileStored()`). Nothing is saved, and the
 * bytes are removed. A direct upload is given up.
 * @example throw new FileRefusedError('The image has no caption.')
 */
export class FileRefusedError extends FilesError {
  readonly code = 'FILES_FILE_REFUSED';

  constructor(
    /** For the client. */
    reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

/** No file has the id. */
export class FileNotFoundError extends FilesError {
  readonly code = 'FILES_FILE_NOT_FOUND';

  constructor(
    /** The given id. */
    readonly fileId: unknown,
  ) {
    super(`There is no file with the id ${JSON.stringify(fileId)}.`);
  }
}

/** The operation is refused because the file is pinned. */
export class FilePinnedError extends FilesError {
  readonly code = 'FILES_FILE_PINNED';

  constructor(
    /** The file. */
    readonly fileId: string,
    operation: string,
  ) {
    super(`File ${fileId} is pinned: ${operation} needs \`force\`, or \`unpin\` before it.`);
  }
}

/** The operation is refused because the file is derived from another one. */
export class FileDerivedError extends FilesError {
  readonly code = 'FILES_FILE_DERIVED';

  constructor(
    /** The file. */
    readonly fileId: string,
    operation: string,
  ) {
    super(`File ${fileId} is derived from another file: ${operation} is refused. Copy it, or change the original.`);
  }
}

/** A file's row names a storage that is not configured any more: its bytes cannot be reached. */
export class FileStorageMissingError extends FilesError {
  readonly code = 'FILES_FILE_STORAGE_MISSING';

  constructor(
    /** The name in the file's row. */
    readonly storage: string,
    /** The names of all storages. */
    known: readonly string[],
  ) {
    super(
      `Files are in storage "${storage}", which is not configured. Configured storages: ${known.join(', ')}. ` +
        'Add it to the option `storages`, or move its files before you remove it.',
    );
  }
}

/** The content has more bytes than its storage accepts. */
export class FileTooLargeError extends FilesError {
  readonly code = 'FILES_FILE_TOO_LARGE';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Bytes. */
    readonly maxSize: number,
  ) {
    super(`The file is larger than the ${maxSize} bytes that storage "${storage}" accepts.`);
  }
}

/** New content must be of the type that the file has: who attached the file relies on it. */
export class FileTypeChangedError extends FilesError {
  readonly code = 'FILES_FILE_TYPE_CHANGED';

  constructor(
    /** The file. */
    readonly fileId: string,
    /** The file's content type. */
    readonly expected: string,
    /** The content type that was found. */
    readonly contentType: string,
  ) {
    super(`File ${fileId} is ${expected}, the new content is ${contentType}. Create another file for it.`);
  }
}

/** The bytes have a type that their storage does not accept. The type that the client declared does not count. */
export class FileTypeNotAcceptedError extends FilesError {
  readonly code = 'FILES_FILE_TYPE_NOT_ACCEPTED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** The content type that was found. */
    readonly contentType: string,
    /** The storage's patterns. */
    readonly acceptedTypes: readonly string[],
  ) {
    super(`The file is ${contentType}. Storage "${storage}" accepts ${acceptedTypes.join(', ') || 'no type at all'}.`);
  }
}

/** A pin protects an owner's file; this one has no owner. */
export class FileUnownedError extends FilesError {
  readonly code = 'FILES_FILE_UNOWNED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`File ${fileId} has no owner and cannot be pinned. Transfer it to one first.`);
  }
}

/** The request turned out to be wrong after its validation. Over HTTP the answer looks like a validation error. */
export class ValidationFailedError extends FilesError {
  readonly code = 'FILES_VALIDATION_FAILED';
  /** The problems of the fields. */
  readonly problems: readonly FieldProblem[];

  constructor(
    /** One for each field, as `ValidationPipe` has them. */
    readonly messages: string[],
    { problems = [], ...options }: ErrorOptions & { problems?: readonly FieldProblem[] } = {},
  ) {
    super(messages.join('; '), options);
    this.problems = problems;
  }

  /** The body of a `ValidationPipe` error, plus the code of this error and the code of each field's problem. */
  override getResponse(): FilesErrorBody {
    const { messages: message, problems } = this;
    return { ...super.getResponse(), message, ...(problems.length > 0 && { problems }) };
  }
}

/** The content is a stream that was read or given before, so that a part of it is missing. */
export class ContentSpentError extends FilesError {
  readonly code = 'FILES_CONTENT_SPENT';

  constructor(
    /** Where the content was to go. */
    readonly target: string,
  ) {
    super(
      `The stream for ${target} was read before, so its content is not complete. ` +
        'Give a stream that nothing has read, or a function that opens it: () => createReadStream(path). A unit of work with `retry` needs the function.',
    );
  }
}

/** A content type that is not a main type, one slash and a subtype. */
export class ContentTypeInvalidError extends FilesError {
  readonly code = 'FILES_CONTENT_TYPE_INVALID';

  constructor(
    /** The given value. */
    readonly contentType: string,
  ) {
    super(
      `${JSON.stringify(contentType.slice(0, 200))} is not a content type. It needs a main type and a subtype, like "text/csv".`,
    );
  }
}

/**
 * Storing the file took longer than the grace period, so the sweeper treated its bytes as abandoned before its row was
 * written.
 */
export class IntentLostError extends FilesError {
  readonly code = 'FILES_INTENT_LOST';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
  ) {
    super(
      `The bytes at "${location}" of storage "${storage}" were swept before their file was saved. Nothing was saved; send the ` +
        'request again, or make the option "sweeper.grace" longer than the longest upload.',
    );
  }
}

/** The content was not scanned yet. Another attempt may succeed. */
export class FilePendingError extends FilesError {
  readonly code = 'FILES_FILE_PENDING';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`File ${fileId} is still being checked. Try again in a moment.`);
  }
}

/** The scanner found something in the content. */
export class FileInfectedError extends FilesError {
  readonly code = 'FILES_FILE_INFECTED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`File ${fileId} is infected, and cannot be opened.`);
  }
}

/** The content could not be scanned. It stays closed until a scan succeeds. */
export class FileUnscannedError extends FilesError {
  readonly code = 'FILES_FILE_UNSCANNED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`File ${fileId} could not be checked, and cannot be opened. Ask an administrator to check it again.`);
  }
}

/** A scanner gave no verdict: it was not reached, failed, or did not take the content. */
export class ScannerFailedError extends FilesError {
  readonly code = 'FILES_SCANNER_FAILED';

  constructor(
    /** The name of the scanner. */
    readonly scanner: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`The scanner "${scanner}" gave no verdict: ${reason}.`, options);
  }
}
