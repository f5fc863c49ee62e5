import type { Storage } from './storage.js';
import { Capability } from './capability.js';

/** What a temporary link of a storage's own has to do. */
export interface TemporaryLinkRequest {
  /** From then on the link opens nothing. */
  expiresAt: Date;
  /** `attachment` to be saved, `inline` to be shown. */
  disposition: 'attachment' | 'inline';
  /** As the file's row has them. */
  name: string;
  /** What the storage has to answer as `Content-Type`. */
  contentType: string;
}

/** What a storage with `Capability.LINK_TEMPORARY` implements: clients fetch the bytes from it and not from here. */
export interface TemporaryLinkStorage {
  /** An address that everybody can read the bytes from until it expires. */
  temporaryLink(location: string, request: TemporaryLinkRequest): Promise<string>;
}

export function makesTemporaryLinks(storage: Storage): storage is Storage & TemporaryLinkStorage {
  return storage.supports(Capability.LINK_TEMPORARY) && 'temporaryLink' in storage;
}
