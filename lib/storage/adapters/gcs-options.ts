import type { Bucket } from '@google-cloud/storage';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import type { StorageLimits } from '../storage-limits.js';
import { readBaseUrl, readPrefix } from './bucket-options.js';

export interface GcsStorageOptions extends StorageLimits {
  /** A client of `@google-cloud/storage` for the bucket, which has to exist: `new Storage().bucket('files')`. */
  bucket: Bucket;
  /**
   * The prefix of the names of all objects: `'app/'`. No other program may write below it. @default '', all of the
   * bucket
   */
  prefix?: string;
  /**
   * Where everybody can read the bucket: `https://storage.googleapis.com/BUCKET` of a public one, or a CDN before it.
   * With it, the storage has public addresses.
   */
  publicBaseUrl?: string;
}

/** The checked options. */
export interface ReadOptions {
  bucket: Bucket;
  prefix: string;
  publicBaseUrl: string | undefined;
}

/** Throws `StorageOptionInvalidError` for an invalid value. */
export function readOptions(options: Omit<GcsStorageOptions, keyof StorageLimits>): ReadOptions {
  const { bucket, prefix = '', publicBaseUrl } = options;
  if (typeof (bucket as Bucket | undefined)?.getFilesStream !== 'function')
    throw new StorageOptionInvalidError('bucket', typeof bucket, 'a Bucket of @google-cloud/storage');
  return { bucket, prefix: readPrefix(prefix), publicBaseUrl: readBaseUrl(publicBaseUrl) };
}
