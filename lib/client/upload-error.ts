/** A refused or failed upload, with the code and the message of the server. */
export class UploadError extends Error {
  /** Tells it from other errors, also where there are two copies of this module. */
  override readonly name = 'UploadError';

  constructor(
    message: string,
    /** The code of the server, such as `FILES_FILE_TOO_LARGE`; undefined if no server of this library has answered. */
    readonly code?: string,
    /** The HTTP status; 0 if no answer has come. */
    readonly status = 0,
    /** @internal */
    readonly isSafe = false,
    /** @internal */
    readonly after?: number,
  ) {
    super(message);
  }
}

/** Whether the server says that there is no such thing, or no longer. */
export function isGone(error: unknown): boolean {
  return error instanceof UploadError && (error.status === 404 || error.status === 410);
}
