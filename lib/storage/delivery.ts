import { StorageOptionInvalidError } from '../errors/setup.errors.js';

/**
 * How the bytes of a download get to the client, once access is decided. `proxy`: through the application. `redirect`:
 * from the storage, by an address that expires after a minute. `x-sendfile`: by Apache with mod_xsendfile, which is
 * told the path. `{ xAccel }`: by nginx, which is told an address below this internal one.
 */
export type DownloadWay =
  | 'proxy'
  | 'redirect'
  | 'x-sendfile'
  | {
      /** The path of nginx' internal location, such as `/files-inside`. */
      readonly xAccel: string;
    };

/** The facts by which `Cache-Control` is chosen. */
export interface CachedFile {
  /** The file's id. */
  readonly id: string;
  /** The owner's type; null for none. The owner of a derived file is here that of its original. */
  readonly ownerType: string | null;
  /** The owner's id; null for none. */
  readonly ownerId: string | null;
  /** As its row has it. */
  readonly contentType: string;
}

/** `Cache-Control` of downloads: for all of them, or by the file. */
export type CacheControl = string | ((file: CachedFile) => string);

const WAYS: readonly unknown[] = ['proxy', 'redirect', 'x-sendfile'] satisfies DownloadWay[];

/**
 * Throws `StorageOptionInvalidError` if the way is unknown, if the storage cannot sign addresses for `redirect`, or if
 * it has no paths for `x-sendfile`.
 */
export function assertDownloadWay(
  way: DownloadWay,
  { canSign, hasPaths }: { canSign: boolean; hasPaths: boolean },
): void {
  const refuse = (expected: string): never => {
    throw new StorageOptionInvalidError('downloads', way, expected);
  };
  const isAccel = typeof way === 'object' && way !== null;
  if (isAccel && !(typeof way.xAccel === 'string' && way.xAccel.startsWith('/')))
    refuse("{ xAccel: '/files-inside' }, with the path of an internal location of nginx");
  if (!isAccel && !WAYS.includes(way)) refuse("'proxy', 'redirect', 'x-sendfile' or { xAccel: '/…' }");
  if (way === 'redirect' && !canSign) refuse("'proxy': this storage gives no temporary addresses");
  if (way === 'x-sendfile' && !hasPaths) refuse("'proxy': this storage has no paths on this machine");
}
