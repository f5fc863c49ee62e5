import { locationKey } from '../storage/location-key.js';
import { ManagedFile } from './managed-file.entity.js';
import type { OwnerReference } from './owner-reference.js';
import { uuidV7 } from './file-id.js';

/** What is known of a file once its bytes are stored. */
export type StoredFile = Pick<
  ManagedFile,
  'name' | 'storage' | 'location' | 'contentType' | 'charset' | 'size' | 'hash' | 'hashAlgorithm'
>;

/** The row of a file that is new: unpinned, with a fresh id unless it is known already. */
export function newFile(stored: StoredFile, owner: OwnerReference | null, id = uuidV7()): ManagedFile {
  return Object.assign(new ManagedFile(), stored, {
    id,
    locationKey: locationKey(stored.location),
    createdAt: new Date(),
    replacedAt: null,
    ownerType: owner?.type ?? null,
    ownerId: owner?.id ?? null,
    ownerField: null,
    pinned: false,
    storageData: null,
    metadata: null,
  });
}
