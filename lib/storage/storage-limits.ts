import { getHashes } from 'node:crypto';
import { StorageOptionInvalidError } from '../errors/setup.errors.js';
import { parseByteSize } from './byte-size.js';
import { isContentTypePattern } from './content-type.js';
import type { CacheControl, DownloadWay } from './delivery.js';
import type { FileScanner } from './file-scanner.js';
import type { LocationTransformer } from './location-transformer.js';
import { STORAGE_VERBS } from './storage-verbs.js';
import type { StorageVerb } from './storage-verbs.js';

// Without a limit, any user who may upload could fill the disk.
const DEFAULT_MAX_SIZE = '100MiB';

/** The options of every storage. */
export interface StorageLimits {
  /** The largest file: bytes, or a text like `'10MiB'`; `Infinity` for no limit. @default '100MiB' */
  maxSize?: number | string;
  /** Content types as `matchesContentType` reads them: `['application/pdf', 'image']`. @default every type */
  acceptedTypes?: readonly string[];
  /** Bytes are never overwritten; the option only documents that. @default false */
  overwrite?: false;
  /** An algorithm of `node:crypto`. @default 'sha256' */
  hashAlgorithm?: string;
  /** Where new bytes go. @default shardedLocation */
  location?: LocationTransformer;
  /**
   * Scans new content: nobody gets it before it is clean. Not for a storage with public addresses, which bypass the
   * application.
   * @default none
   */
  scan?: FileScanner;
  /** Switches off verbs of the adapter: `['remove', 'move']`. @default nothing */
  disable?: readonly StorageVerb[];
  /**
   * How the bytes of downloads get to clients, once access is decided: `'redirect'` to the storage, or by the web
   * server in front.
   * @default 'proxy'
   */
  downloads?: DownloadWay;
  /** `Cache-Control` of downloads; `no-transform` is added. @default 'private, no-cache' */
  cacheControl?: CacheControl;
}

export interface ReadLimits {
  maxSize: number | undefined;
  acceptedTypes: readonly string[] | undefined;
  hashAlgorithm: string;
  disable: readonly StorageVerb[];
}

/** Reads the limits; a wrong one throws `StorageOptionInvalidError`, which names the option. */
export function readLimits({
  maxSize = DEFAULT_MAX_SIZE,
  acceptedTypes,
  hashAlgorithm = 'sha256',
  overwrite = false,
  disable = [],
}: StorageLimits): ReadLimits {
  if (overwrite) throw new StorageOptionInvalidError('overwrite', overwrite, 'false: bytes are never overwritten');
  if (!getHashes().includes(hashAlgorithm) || hashAlgorithm.length > 32) {
    throw new StorageOptionInvalidError('hashAlgorithm', hashAlgorithm, "an algorithm of node:crypto, like 'sha256'");
  }
  const wrong = acceptedTypes?.find((pattern) => !isContentTypePattern(pattern));
  if (wrong !== undefined) {
    throw new StorageOptionInvalidError(
      'acceptedTypes',
      wrong,
      "content types like 'text/csv', 'image/*', 'image' or 'csv'",
    );
  }
  if (!Array.isArray(disable) || !disable.every((verb) => STORAGE_VERBS.includes(verb))) {
    throw new StorageOptionInvalidError('disable', disable, `a list of ${STORAGE_VERBS.join(', ')}`);
  }
  return { maxSize: readMaxSize(maxSize), acceptedTypes, hashAlgorithm, disable };
}

function readMaxSize(maxSize: number | string): number | undefined {
  try {
    return maxSize === Infinity ? undefined : parseByteSize(maxSize);
  } catch {
    throw new StorageOptionInvalidError('maxSize', maxSize, "bytes, a text like '10MiB', or Infinity for no limit");
  }
}

const MAX_SCANNER_NAME = 64;

/** Throws `StorageOptionInvalidError` for a value that is not a scanner. */
export function assertScanner(scanner: FileScanner, option: string): void {
  const { name, maxSize, scan } = (scanner ?? {}) as Partial<FileScanner>;
  const isNamed = typeof name === 'string' && name.trim() !== '' && name.length <= MAX_SCANNER_NAME;
  if (!isNamed || typeof scan !== 'function')
    throw new StorageOptionInvalidError(option, scanner, "a scanner with a name, like clamav({ host: '127.0.0.1' })");
  if (maxSize !== undefined && !(maxSize > 0))
    throw new StorageOptionInvalidError(`${option}.maxSize`, maxSize, 'a number of bytes above zero');
}

/** The same for the scanner of a storage, from which not everybody can read. */
export function assertStorageScanner(scanner: FileScanner | undefined, hasPublicAddresses: boolean): void {
  if (scanner === undefined) return;
  assertScanner(scanner, 'scan');
  if (!hasPublicAddresses) return;
  const expected = "left out: the public addresses of the storage bypass it. Or add disable: ['publicUrl']";
  throw new StorageOptionInvalidError('scan', scanner.name, expected);
}
