import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { assertLocation } from '../location.js';

/** Milliseconds. Reading the mark is a request, so that writes would take twice as many. */
export const MARK_TRUSTED_FOR = 5_000;

/** The prefix of all names in a bucket: empty, or a path that ends with a slash. Throws `StorageOptionInvalidError`. */
export function readPrefix(prefix: string): string {
  const path = prefix.replace(/\/$/, '');
  try {
    if (prefix !== '') assertLocation(path);
  } catch {
    throw new StorageOptionInvalidError('prefix', prefix, "a relative path like 'app/'");
  }
  return path === '' ? '' : `${path}/`;
}

/** The public address of a bucket, without a slash at its end. Throws `StorageOptionInvalidError`. */
export function readBaseUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (!URL.canParse(url) || !/^https?:\/\/[^?#]+$/.test(url))
    throw new StorageOptionInvalidError('publicBaseUrl', url, "an address like 'https://cdn.example.org'");
  return url.replace(/\/+$/, '');
}

/** The public address of the object with this name in a bucket. */
export function publicAddress(baseUrl: string, name: string): string {
  return [baseUrl, ...name.split('/').map(encodeURIComponent)].join('/');
}
