import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { parseByteSize } from '../byte-size.js';
import type { StorageLimits } from '../storage-limits.js';
import { readBaseUrl, readPrefix } from './bucket-options.js';

export interface S3StorageOptions extends StorageLimits {
  /** A client of `@aws-sdk/client-s3`, or what one is made of: region, endpoint, credentials. */
  client: S3Client | S3ClientConfig;
  /** It has to exist. */
  bucket: string;
  /** The prefix of all keys: `'app/'`. No other program may write below it. @default '', all of the bucket */
  prefix?: string;
  /**
   * Larger files are sent in parts of this size, two at a time; so much of each is in memory. At least 5 MiB.
   * @default '8MiB'
   */
  partSize?: number | string;
  /**
   * Whether the server heeds `If-None-Match` when an object is put. Without it, writes at once to one location can
   * overwrite each other.
   * @default true
   */
  conditionalWrites?: boolean;
  /** Where everybody can read the bucket: `'https://cdn.example.org'`. With it, the storage has public addresses. */
  publicBaseUrl?: string;
}

/** The checked options. */
export interface ReadOptions {
  client: S3Client;
  bucket: string;
  prefix: string;
  partSize: number;
  isConditional: boolean;
  publicBaseUrl: string | undefined;
}

// The SDK's default of 50 sockets could all be held by a few clients that download slowly.
const agent = { maxSockets: 500 };
// By default the SDK sends checksums that not every server takes.
const DEFAULTS: S3ClientConfig = {
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  requestHandler: { httpAgent: agent, httpsAgent: agent, connectionTimeout: 10_000 },
};
const MIB = 1024 ** 2;
const MIN_PART = 5 * MIB;
const MAX_PART = 5 * 1024 * MIB;

/** Throws `StorageOptionInvalidError` for an invalid value. */
export function readOptions(options: Omit<S3StorageOptions, keyof StorageLimits>): ReadOptions {
  const { client, bucket, prefix = '', partSize = '8MiB', conditionalWrites = true, publicBaseUrl } = options;
  if (typeof bucket !== 'string' || !/^[\w.:/-]+$/.test(bucket))
    throw new StorageOptionInvalidError('bucket', bucket, 'the name of a bucket');
  if (typeof conditionalWrites !== 'boolean')
    throw new StorageOptionInvalidError('conditionalWrites', conditionalWrites, 'true or false');
  return {
    client: readClient(client),
    bucket,
    prefix: readPrefix(prefix),
    partSize: readPartSize(partSize),
    isConditional: conditionalWrites,
    publicBaseUrl: readBaseUrl(publicBaseUrl),
  };
}

function readClient(client: S3Client | S3ClientConfig): S3Client {
  if (typeof client !== 'object' || client === null)
    throw new StorageOptionInvalidError('client', client, 'an S3Client, or its configuration');
  if ('send' in client) return client;
  return new S3Client({ ...DEFAULTS, ...client });
}

function readPartSize(partSize: number | string): number {
  try {
    const size = parseByteSize(partSize);
    if (size >= MIN_PART && size <= MAX_PART) return size;
  } catch {
    // Said below.
  }
  throw new StorageOptionInvalidError('partSize', partSize, 'from 5MiB to 5GiB');
}
