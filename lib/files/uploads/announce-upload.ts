import type { Actor } from '../../actor/actor.js';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { ByteSizeInvalidError } from '../../errors/requests.errors.js';
import { locationKey } from '../../storage/location-key.js';
import type { Storage } from '../../storage/storage.js';
import { uuidV7 } from '../file-id.js';
import { cleanFileName } from '../file-name.js';
import { assertOwnerReference } from '../owner-reference.js';
import type { OwnerReference } from '../owner-reference.js';
import { readContentType } from '../read-content-type.js';
import { parseChecksum } from './checksum.js';
import type { BeginUploadOptions } from './direct-upload-types.js';
import { FileUpload } from './file-upload.entity.js';

/** Who announces an upload, where to, and when. */
interface Announcement {
  storage: Storage;
  actor: Actor | null;
  /** Milliseconds since the epoch. */
  now: number;
  /** Milliseconds. */
  expireAfter: number;
}

/** The row of an upload that the storage has not begun; throws for what cannot become a file there. */
export function announceUpload(
  options: BeginUploadOptions,
  { storage, actor, now, expireAfter }: Announcement,
): FileUpload {
  const { size, owner = options.actor } = options;
  const name = cleanFileName(options.name);
  // As over HTTP, null is the same as nothing.
  const contentType = readContentType(options.contentType ?? undefined) ?? null;
  assertSize(size, storage);
  const [ownerType, ownerId] = columnsOf(owner === undefined ? actor : checkedOwner(owner));
  const [actorType, actorId] = columnsOf(actor);
  const createdAt = new Date(now);
  const guessed = contentType ?? 'application/octet-stream';
  const location = storage.locationFor({ uuid: uuidV7(), name, contentType: guessed, now: createdAt });
  return Object.assign(new FileUpload(), {
    id: uuidV7(),
    name,
    storage: storage.name,
    location,
    locationKey: locationKey(location),
    size,
    contentType,
    checksum: checkedChecksum(options.checksum),
    handle: null,
    partSize: null,
    ownerType,
    ownerId,
    actorType,
    actorId,
    createdAt,
    expiresAt: new Date(now + expireAfter),
    endedAt: null,
    kind: 'direct',
    length: null,
    metadata: null,
    parts: null,
    leaseOwner: null,
    leaseUntil: null,
  });
}

function assertSize(size: number, { name, maxSize }: Storage): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new ByteSizeInvalidError(size);
  if (maxSize !== undefined && size > maxSize) throw new FileTooLargeError(name, maxSize);
}

function checkedChecksum(checksum: string | null | undefined): string | null {
  if (checksum === undefined || checksum === null) return null;
  parseChecksum(checksum);
  return checksum.toLowerCase();
}

function checkedOwner(owner: OwnerReference | null): OwnerReference | null {
  if (owner) assertOwnerReference(owner);
  return owner;
}

/** The columns of the type and of the id. */
function columnsOf(reference: OwnerReference | Actor | null): [string | null, string | null] {
  return [reference?.type ?? null, reference?.id ?? null];
}
