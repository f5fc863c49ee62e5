import { FilesError } from './files-error.js';

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
