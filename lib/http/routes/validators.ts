import type { ManagedFile } from '../../files/managed-file.entity.js';

/**
 * The validators, which tell one state of a file's content from another:
 * https://www.rfc-editor.org/rfc/rfc9110#section-8.8
 */
export interface Validators {
  /** Strong, with its quotes. */
  etag: string;
  /** Epoch milliseconds of a whole second; `undefined` while it would lie in the future. */
  lastModified: number | undefined;
}

/**
 * The validators of the file's content; its name and its owner do not matter. Both are strong: no two contents of one
 * file have the same second.
 */
export function validatorsOf({ hash, createdAt, replacedAt }: ManagedFile): Validators {
  const modified = Math.floor((replacedAt ?? createdAt).getTime() / 1000) * 1000;
  return { etag: `"${hash}"`, lastModified: modified > Date.now() ? undefined : modified };
}

/** The validators as headers of an answer. */
export function validatorHeaders({ etag, lastModified }: Validators): Record<string, string> {
  return lastModified === undefined
    ? { ETag: etag }
    : { ETag: etag, 'Last-Modified': new Date(lastModified).toUTCString() };
}
