import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { FilesError } from '../../errors/files-error.js';
import { StorageFailedError } from '../../errors/storage.errors.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { dispositionAlone, dispositionFor, dispositionOf } from '../../storage/disposition.js';
import type { Storage } from '../../storage/storage.js';
import { validatorHeaders, validatorsOf } from '../routes/validators.js';

// Milliseconds; just long enough for a client to follow the redirect.
const ADDRESS_LIFETIME = 60_000;

/**
 * The headers of a file's content, besides its type and length. A 304 has them, too, so that the client learns their
 * changes.
 */
export function downloadHeaders(file: ManagedFile, storage: Storage, cacheControl: string): Record<string, string> {
  return {
    'Content-Disposition': dispositionFor(file.name, dispositionOf(file.contentType)),
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'Cache-Control': cacheControl,
    'Accept-Ranges': storage.can('read') ? 'bytes' : 'none',
    ...validatorHeaders(validatorsOf(file)),
  };
}

/**
 * Adds `no-transform`: a proxy that compresses the content makes other bytes of it, which the strong ETag and the
 * ranges do not fit.
 */
export function untransformed(cacheControl: string): string {
  return /(^|,)\s*no-transform\s*(,|$)/i.test(cacheControl) ? cacheControl : `${cacheControl}, no-transform`;
}

/**
 * The headers that tell the client, or the web server in front, where to get the bytes. `undefined` if the application
 * sends the bytes itself: for `proxy`, and for `x-sendfile` if there is no file at the path. An address of the storage
 * opens the bytes for a minute.
 */
export async function headersToElsewhere(
  file: ManagedFile,
  storage: Storage,
  cacheControl: string,
  asked?: 'attachment',
): Promise<Record<string, string> | undefined> {
  const { downloads } = storage;
  const { location, name, contentType } = file;
  if (downloads === 'proxy') return undefined;
  if (downloads === 'redirect') {
    const disposition = asked ?? dispositionAlone(contentType);
    const expiresAt = new Date(Date.now() + ADDRESS_LIFETIME);
    const request = { expiresAt, disposition, name, contentType: typeOf(file), cacheControl } as const;
    return { Location: await storage.temporaryUrl(location, request), 'Cache-Control': 'private, no-store' };
  }
  if (downloads === 'x-sendfile') {
    const path = await storage.pathOf(location);
    // The header contains the raw bytes of the path, one in each character, because mod_xsendfile 0.12 does not decode
    // it.
    return path === undefined ? undefined : { 'X-Sendfile': Buffer.from(path).toString('latin1') };
  }
  const path = location.split('/').map(encodeURIComponent).join('/');
  return { 'X-Accel-Redirect': `${downloads.xAccel.replace(/\/+$/, '')}/${path}` };
}

/**
 * The `Content-Type` of the file, with the charset if that is known: without it, browsers guess by the user's locale.
 */
export function typeOf({ contentType, charset }: ManagedFile): string {
  return charset === null ? contentType : `${contentType}; charset=${charset}`;
}

/** Waits until the content has bytes or has ended: an earlier failure can still be answered with an error. */
export async function opened(content: Readable, { storage, location }: ManagedFile): Promise<Readable> {
  try {
    if (content.readableLength === 0 && !content.readableEnded) await once(content, 'readable');
    return content;
  } catch (error) {
    throw error instanceof FilesError ? error : new StorageFailedError(storage, 'read', location, error);
  }
}
