import { FilesError } from './files-error.js';

/** No upload has the id: it never existed, was given up, has expired, or belongs to another actor. */
export class UploadNotFoundError extends FilesError {
  readonly code = 'FILES_UPLOAD_NOT_FOUND';

  constructor(
    /** The given id. */
    readonly uploadId: unknown,
  ) {
    super(`There is no upload with the id ${JSON.stringify(uploadId)}. Begin another one.`);
  }
}

/** The upload lacks parts, so it cannot be completed. It stays open. */
export class UploadIncompleteError extends FilesError {
  readonly code = 'FILES_UPLOAD_INCOMPLETE';

  constructor(
    /** The upload. */
    readonly uploadId: string,
    /** The numbers of the parts; the first one is 1. */
    readonly missing: readonly number[],
  ) {
    const some = missing.slice(0, 10).join(', ');
    super(
      `Upload ${uploadId} is not complete. Send the missing parts, then complete it again: part ${some}${missing.length > 10 ? `, and ${missing.length - 10} more` : ''}.`,
    );
  }
}

/** The bytes differ from the announced ones. They were removed, and the upload is over. */
export class UploadMismatchedError extends FilesError {
  readonly code = 'FILES_UPLOAD_MISMATCHED';

  constructor(
    /** The upload. */
    readonly uploadId: string,
    /** The announced size or checksum. */
    readonly expected: string,
    /** The actual one. */
    readonly found: string,
  ) {
    super(`Upload ${uploadId} should have ${expected}, but has ${found}. It was removed; begin another one.`);
  }
}

/** An upload has no part with this number. */
export class UploadPartInvalidError extends FilesError {
  readonly code = 'FILES_UPLOAD_PART_INVALID';

  constructor(
    /** The given value. */
    readonly number: unknown,
    /** How many parts the upload has. */
    readonly count: number,
  ) {
    super(`${JSON.stringify(number)} is not a part number of the upload. Its parts are numbered from 1 to ${count}.`);
  }
}

/** The checksum of an upload is malformed. */
export class ChecksumInvalidError extends FilesError {
  readonly code = 'FILES_CHECKSUM_INVALID';

  constructor(
    /** The given value. */
    readonly checksum: string,
    algorithms: readonly string[],
  ) {
    super(
      `${JSON.stringify(checksum.slice(0, 200))} is not a checksum. Give the algorithm, a colon and the hash in hex, like "sha256:9f86…"; ` +
        `algorithms are ${algorithms.join(', ')}.`,
    );
  }
}

/** A request continues a resumable upload elsewhere than at its end. Nothing was stored. */
export class UploadOffsetMismatchedError extends FilesError {
  readonly code = 'FILES_UPLOAD_OFFSET_MISMATCHED';

  constructor(
    /** The upload. */
    readonly uploadId: string,
    /** Where the request begins, in bytes. */
    readonly offset: number,
    /** How many bytes are there. */
    readonly expected: number,
  ) {
    super(
      `Upload ${uploadId} has ${expected} bytes, and the request begins at ${offset}. Ask for the offset, and go on there.`,
    );
  }
}

/** Another request is adding bytes to the upload. Nothing was stored. */
export class UploadBusyError extends FilesError {
  readonly code = 'FILES_UPLOAD_BUSY';

  constructor(
    /** The upload. */
    readonly uploadId: string,
  ) {
    super(
      `Another request is sending upload ${uploadId}. Wait for it to end, or for a few seconds, and ask for the offset.`,
    );
  }
}

/** The bytes of a request do not have the checksum that it announced. They were removed; the upload stays open. */
export class UploadChecksumMismatchedError extends FilesError {
  readonly code = 'FILES_UPLOAD_CHECKSUM_MISMATCHED';

  constructor(
    /** The upload. */
    readonly uploadId: string,
    /** An algorithm of `node:crypto`. */
    readonly algorithm: string,
  ) {
    super(
      `The bytes of the request to upload ${uploadId} do not have its ${algorithm} checksum. They were not kept; send them again.`,
    );
  }
}

/** A request brings more bytes than the upload was announced with. */
export class UploadLengthExceededError extends FilesError {
  readonly code = 'FILES_UPLOAD_LENGTH_EXCEEDED';

  constructor(
    /** The upload. */
    readonly uploadId: string,
    /** The announced size in bytes. */
    readonly length: number,
  ) {
    super(`Upload ${uploadId} was announced with ${length} bytes, and the request has more.`);
  }
}

/** A final upload consists of its parts, and takes no bytes. */
export class UploadFinalError extends FilesError {
  readonly code = 'FILES_UPLOAD_FINAL';

  constructor(
    /** The upload. */
    readonly uploadId: string,
  ) {
    super(`Upload ${uploadId} is made of other uploads, and takes no bytes.`);
  }
}

/** The client speaks another version of tus, or has not said which one. */
export class TusVersionUnknownError extends FilesError {
  readonly code = 'FILES_TUS_VERSION_UNKNOWN';

  constructor(
    /** The value of `Tus-Resumable`. */
    readonly version: string | undefined,
  ) {
    super(`The request is for version ${JSON.stringify(version ?? null)} of tus. Send "Tus-Resumable: 1.0.0".`);
  }
}

/** Bytes of a resumable upload came with another content type. */
export class UploadStreamExpectedError extends FilesError {
  readonly code = 'FILES_UPLOAD_STREAM_EXPECTED';

  constructor(
    /** The value of `Content-Type`. */
    readonly contentType: string | undefined,
  ) {
    super(
      `The bytes of an upload are sent as application/offset+octet-stream, not as ${JSON.stringify(contentType ?? null)}.`,
    );
  }
}
