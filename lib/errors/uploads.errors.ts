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
