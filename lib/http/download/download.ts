import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { FilesError } from '../../errors/files-error.js';
import { StorageFailedError } from '../../errors/storage.errors.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { dispositionFor } from './disposition.js';
import { validatorHeaders, validatorsOf } from '../routes/validators.js';

/**
 * The types that a browser may show inline. None of them can carry a script: no SVG, HTML or XML. PDF is missing because
 * browsers refuse to show it under the sandboxing policy.
 */
const INLINE = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'text/plain']);

/** The headers of a file's content, besides its type and length. A 304 has them too: it tells the client what is new of them. */
export function downloadHeaders(file: ManagedFile, hasRanges: boolean): Record<string, string> {
  return {
    'Content-Disposition': dispositionOf(file),
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    // Whoever encodes the content on its way makes other bytes of it, under a strong tag and ranges that are not theirs.
    'Cache-Control': 'private, no-cache, no-transform',
    'Accept-Ranges': hasRanges ? 'bytes' : 'none',
    ...validatorHeaders(validatorsOf(file)),
  };
}

/** The file's type, for a text with how its bytes are to be read: browsers guess it by the country otherwise. */
export function typeOf({ contentType, charset }: ManagedFile): string {
  return charset === null ? contentType : `${contentType}; charset=${charset}`;
}

function dispositionOf({ name, contentType }: ManagedFile): string {
  return dispositionFor(name, INLINE.has(contentType) ? 'inline' : 'attachment');
}

/** Waits until the content has bytes or has ended: what fails before can still be answered with an error. */
export async function opened(content: Readable, { storage, location }: ManagedFile): Promise<Readable> {
  try {
    if (content.readableLength === 0 && !content.readableEnded) await once(content, 'readable');
    return content;
  } catch (error) {
    throw error instanceof FilesError ? error : new StorageFailedError(storage, 'read', location, error);
  }
}
