import type { ManagedFile } from './managed-file.entity.js';

/** A file as clients see it: without where its bytes are. */
export interface PublicFile {
  id: string;
  name: string;
  storage: string;
  contentType: string;
  size: number;
  hash: string;
  hashAlgorithm: string;
  createdAt: Date;
  ownerType: string | null;
  ownerId: string | null;
  ownerField: string | null;
  pinned: boolean;
  pluginData: Record<string, unknown> | null;
}

/** Picks what may be told; a column added later stays private until it is named here. */
export function toPublicFile(file: Omit<ManagedFile, 'toJSON'>): PublicFile {
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
    pluginData: file.pluginData,
  };
}
