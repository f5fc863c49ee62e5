import { FilesError } from './files-error.js';

/** The request does not have the form that the route of the library takes. */
export class RequestInvalidError extends FilesError {
  readonly code = 'FILES_REQUEST_INVALID';

  constructor(
    /** Body, query or another part. */
    readonly part: string,
    /** One for each fault. */
    readonly reasons: readonly string[],
  ) {
    super(`The ${part} of the request is invalid: ${reasons.join('; ')}.`);
  }
}

/** A search that cannot be run as it is asked for. `at` is the place in its options: `filters.size.$gt`. */
export class SearchQueryInvalidError extends FilesError {
  readonly code = 'FILES_SEARCH_QUERY_INVALID';

  constructor(
    /** The place in the search's options. */
    readonly at: string,
    reason: string,
  ) {
    super(`The search is refused at ${at}: ${reason}.`);
  }
}

/** A size that is neither a number of bytes nor a text like `10MiB`. */
export class ByteSizeInvalidError extends FilesError {
  readonly code = 'FILES_BYTE_SIZE_INVALID';

  constructor(
    /** The given value. */
    readonly value: unknown,
  ) {
    super(`${JSON.stringify(value)} is not a size. Give bytes as a whole number, or a text like "10MiB" or "1.5GB".`);
  }
}

/** A range of bytes that is not one, or that begins behind the end of the file. */
export class RangeInvalidError extends FilesError {
  readonly code = 'FILES_RANGE_INVALID';

  constructor(
    /** The first byte. */
    readonly start: number,
    /** The last byte. */
    readonly end: number,
    /** The file's size in bytes. */
    readonly size?: number,
  ) {
    super(`Range ${start}-${end} is not within ${size === undefined ? 'any file' : `the ${size} bytes of the file`}.`);
  }
}

/** A `Range` header asks for bytes that the file does not have. */
export class RangeNotSatisfiableError extends FilesError {
  readonly code = 'FILES_RANGE_NOT_SATISFIABLE';

  constructor(
    /** The header. */
    readonly range: string,
    /** The file's size in bytes. */
    readonly size: number,
  ) {
    super(`Range "${range}" is not within the ${size} bytes of the file.`);
  }
}

/** A request was for a state of the file's content that is not its state: `If-Match` and its kin. */
export class PreconditionFailedError extends FilesError {
  readonly code = 'FILES_PRECONDITION_FAILED';

  constructor(
    /** The file. */
    readonly fileId: string,
  ) {
    super(`The content of file ${fileId} is not what the conditions of the request ask for. Read it again.`);
  }
}

/** An upload came with another content type than a form's. */
export class MultipartExpectedError extends FilesError {
  readonly code = 'FILES_MULTIPART_EXPECTED';

  constructor(
    /** The request's content type. */
    readonly contentType: string | undefined,
  ) {
    super(
      `The upload is ${JSON.stringify(contentType?.slice(0, 200) ?? 'of no type')}. Send it as multipart/form-data, the file in the field "file".`,
    );
  }
}

/** The body of an upload is not a form with one file. */
export class UploadMalformedError extends FilesError {
  readonly code = 'FILES_UPLOAD_MALFORMED';

  constructor(reason: string, options?: ErrorOptions) {
    super(`The upload is malformed: ${reason}.`, options);
  }
}

/** The client went away before its upload was complete. Nothing of it is kept. */
export class UploadAbortedError extends FilesError {
  readonly code = 'FILES_UPLOAD_ABORTED';

  constructor() {
    super('The client went away before the upload was complete.');
  }
}

/** The client sent too little of an upload for too long; nothing of it is kept. */
export class UploadIdleError extends FilesError {
  readonly code = 'FILES_UPLOAD_IDLE';

  constructor(
    /** The option `http.uploadIdleTimeout`, in milliseconds. */
    readonly timeout: number,
    options?: ErrorOptions,
  ) {
    super(`The upload made no progress for ${timeout} ms. Send it again.`, options);
  }
}

/** The form of an upload exceeds the limits for forms. */
export class UploadLimitExceededError extends FilesError {
  readonly code = 'FILES_UPLOAD_LIMIT_EXCEEDED';

  constructor(
    /** The name of the limit. */
    readonly limit: string,
    /** The limit. */
    readonly max: number,
  ) {
    super(`The upload is over a limit: ${limit} may be at most ${max}.`);
  }
}

/** A file came for a field that was not validated, so that no record would own it. Nothing was saved. */
export class UploadNotTakenError extends FilesError {
  readonly code = 'FILES_UPLOAD_NOT_TAKEN';

  constructor(
    /** The field of the form. */
    readonly field: string,
  ) {
    super(
      `The file in "${field}" was not taken: no pipe validated the field with @UploadAs(). Either its conditions or groups leave it out ` +
        'in this request, or the application lacks app.useGlobalPipes(new ValidationPipe()).',
    );
  }
}

/** A header with the digest of the body cannot be read. */
export class DigestInvalidError extends FilesError {
  readonly code = 'FILES_DIGEST_INVALID';

  constructor(
    /** The header's name, in lower case. */
    readonly header: string,
    /** The header, as it came. */
    readonly value: string,
  ) {
    super(`The header ${header} is ${JSON.stringify(value)}; it must be like sha-256=:…:, with the digest in base64.`);
  }
}

/** The body does not have the digest that the client announced: it was changed on its way. Nothing was kept. */
export class DigestMismatchedError extends FilesError {
  readonly code = 'FILES_DIGEST_MISMATCHED';

  constructor(
    /** The header's name, in lower case. */
    readonly header: string,
    /** Such as `sha-256`. */
    readonly algorithm: string,
  ) {
    super(`The body does not have the ${algorithm} that ${header} announces. Send it again.`);
  }
}
