/**
 * Whether the content of a file may be had. `pending`: it waits for its scan. `clean`: it may. `infected`: something
 * was found. `failed`: all attempts to scan it have failed.
 */
export type ScanState = 'pending' | 'clean' | 'infected' | 'failed';

/** A file as clients see it, without the location of its bytes. */
export interface PublicFile {
  /** Identifies the file in requests. Knowing it grants no access. */
  id: string;
  /** As people see it. */
  name: string;
  /** The name of the storage. */
  storage: string;
  /** The content type of the bytes. */
  contentType: string;
  /** Bytes. */
  size: number;
  /** The hash of the content, in hex. */
  hash: string;
  /** An algorithm of `node:crypto`. */
  hashAlgorithm: string;
  /** When its first content was stored. */
  createdAt: Date;
  /** Null for none. */
  ownerType: string | null;
  /** Null for none. */
  ownerId: string | null;
  /** The owner's field that holds the id, where that is known. */
  ownerField: string | null;
  /** Protected from transfer, deletion and replacement. */
  pinned: boolean;
  /** When it is deleted unless it is attached before; null for a file that stays. */
  expiresAt: Date | null;
  /** Whether the content may be had: only if it is `clean`. Missing where nothing scans it. */
  scan?: ScanState;
  /** The part of the application's `metadata` that its option `http.metadata` shows; missing without the option. */
  metadata?: object | null;
}

/** Picks the public fields; a column that is added later stays private until it is named here. */
export function toPublicFile(
  file: Readonly<Omit<PublicFile, 'metadata' | 'scan'> & { scan: ScanState | null }>,
): PublicFile {
  return {
    id: file.id,
    name: file.name,
    storage: file.storage,
    contentType: file.contentType,
    size: file.size,
    hash: file.hash,
    hashAlgorithm: file.hashAlgorithm,
    createdAt: file.createdAt,
    ownerType: file.ownerType,
    ownerId: file.ownerId,
    ownerField: file.ownerField,
    pinned: file.pinned,
    expiresAt: file.expiresAt,
    ...(file.scan && { scan: file.scan }),
  };
}
