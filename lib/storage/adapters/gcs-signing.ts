import type { File } from '@google-cloud/storage';
import { LinkOptionInvalidError } from '../../errors/setup.errors.js';
import { dispositionFor } from '../disposition.js';
import type { TemporaryUrlRequest } from '../storage-adapter.js';

// Seconds: Google signs for no longer.
const WEEK = 7 * 24 * 3600;

/** An address at which the object can be read, with these headers, until it expires. */
export async function signRead(file: File, request: TemporaryUrlRequest): Promise<string> {
  const { expiresAt, disposition, name, contentType, cacheControl } = request;
  const [url] = await file.getSignedUrl({
    version: 'v4',
    action: 'read',
    ...period(expiresAt),
    responseDisposition: dispositionFor(name, disposition),
    responseType: contentType,
    ...(cacheControl !== undefined && { queryParams: { 'response-cache-control': cacheControl } }),
  });
  return url;
}

/** An address to which an object of this size can be sent, until it expires, with the headers. */
export async function signWrite(
  file: File,
  { size, expiresAt }: { size: number; expiresAt: Date },
): Promise<{ url: string; headers: Record<string, string> }> {
  const headers = { 'x-goog-content-length-range': `${size},${size}` };
  const [url] = await file.getSignedUrl({
    version: 'v4',
    action: 'write',
    ...period(expiresAt),
    extensionHeaders: headers,
  });
  return { url, headers };
}

/** Counted in whole seconds from one moment: the client would count the part of a second that has passed since. */
function period(expiresAt: Date): { accessibleAt: Date; expires: Date } {
  const now = Math.floor(Date.now() / 1000);
  const seconds = Math.floor(expiresAt.getTime() / 1000) - now;
  if (!(seconds > 0 && seconds <= WEEK))
    throw new LinkOptionInvalidError('expiresAt', expiresAt, 'within a week from now: Google signs for no longer');
  return { accessibleAt: new Date(now * 1000), expires: new Date((now + seconds) * 1000) };
}
