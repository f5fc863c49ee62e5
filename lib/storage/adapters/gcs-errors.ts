// Errors of the client are recognised by their fields: their classes would have to be imported, and the library imports
// no SDK.

/** An answer of Google Cloud Storage to a request that the client does not read itself. */
export class GcsFault extends Error {
  /** `code` is the status of HTTP, as in the errors of the client. */
  constructor(
    readonly code: number,
    text: string,
  ) {
    super(`Google Cloud Storage answered ${code} ${text}`.trim());
  }
}

interface ClientFault {
  code?: unknown;
  status?: unknown;
  message?: unknown;
}

/** Whether Google answered with one of these statuses. */
export function isStatus(error: unknown, ...statuses: number[]): boolean {
  // As a number; where the client begins an upload in steps, also as a text.
  const { code, status } = (error ?? {}) as ClientFault;
  return statuses.includes(Number(code)) || statuses.includes(Number(status));
}

/** Whether the bucket is not there. Its answer has the same status as that for an object, and no other code. */
export function isWithoutBucket(error: unknown): boolean {
  return isStatus(error, 404) && /bucket does not exist/i.test(String((error as ClientFault).message));
}

/** Whether the bucket is there, and the object is not. */
export function isMissing(error: unknown): boolean {
  return isStatus(error, 404) && !isWithoutBucket(error);
}

/** Whether the client found that the bytes did not arrive as they were sent. The object may be there. */
export function isCorrupted(error: unknown): boolean {
  return String(((error ?? {}) as ClientFault).code).startsWith('FILE_NO_UPLOAD');
}
