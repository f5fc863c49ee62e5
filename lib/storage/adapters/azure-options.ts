import type { BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import type { StorageLimits } from '../storage-limits.js';
import { readBaseUrl, readPrefix } from './bucket-options.js';

export interface AzureStorageOptions extends StorageLimits {
  /** A client of `@azure/storage-blob` for the container, which has to exist. */
  container: ContainerClient;
  /**
   * The prefix of the names of all blobs: `'app/'`. No other program may write below it. @default '', all of the
   * container
   */
  prefix?: string;
  /**
   * Where everybody can read the container: `container.url` of a public one, or a CDN before it. With it, the storage
   * has public addresses.
   */
  publicBaseUrl?: string;
  /**
   * With a client that has a token instead of a shared key: the client of its account, which then signs temporary
   * addresses.
   */
  service?: BlobServiceClient;
}

/** The checked options. */
export interface ReadOptions {
  container: ContainerClient;
  prefix: string;
  publicBaseUrl: string | undefined;
  service: BlobServiceClient | undefined;
}

/** Throws `StorageOptionInvalidError` for an invalid value. */
export function readOptions(options: Omit<AzureStorageOptions, keyof StorageLimits>): ReadOptions {
  const { container, prefix = '', publicBaseUrl, service } = options;
  // Its type alone: a connection string has a key in it.
  if (typeof (container as ContainerClient | undefined)?.getBlockBlobClient !== 'function')
    throw new StorageOptionInvalidError('container', typeof container, 'a ContainerClient of @azure/storage-blob');
  return { container, prefix: readPrefix(prefix), publicBaseUrl: readBaseUrl(publicBaseUrl), service };
}
