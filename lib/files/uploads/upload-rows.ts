import { IsNull } from 'typeorm';
import type { EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { notAfter } from '../columns.js';
import type { OwnerReference } from '../owner-reference.js';
import { FileUpload } from './file-upload.entity.js';

/**
 * Ends the upload, if it is open, and has expired by `expiredBy`; from then on it expires at `expiresAt`. Of several who do it at once, one is
 * told that it has.
 */
export async function endRow(
  manager: EntityManager,
  id: string,
  { now, expiredBy, expiresAt }: { now: Date; expiredBy?: Date; expiresAt?: Date },
): Promise<boolean> {
  const open = { id, endedAt: IsNull(), ...(expiredBy && { expiresAt: notAfter(expiredBy) }) };
  return (await manager.update(FileUpload, open, { endedAt: now, ...(expiresAt && { expiresAt }) })).affected === 1;
}

/** Lets an open upload last until then, at least. */
export async function prolongRow(manager: EntityManager, { id, expiresAt }: FileUpload, until: Date): Promise<void> {
  if (until > expiresAt) await manager.update(FileUpload, { id, endedAt: IsNull() }, { expiresAt: until });
}

/** Who will own the file. */
export function ownerOf({ ownerType, ownerId }: FileUpload): OwnerReference | null {
  return ownerType === null || ownerId === null ? null : { type: ownerType, id: ownerId };
}

/** Who began the upload. */
export function actorOf({ actorType, actorId }: FileUpload): Actor | null {
  return actorType === null || actorId === null ? null : { type: actorType, id: actorId };
}

/** The usage that an open upload reserves for its owner. */
export function announced({ size }: FileUpload): { bytes: number; count: number } {
  return { bytes: size, count: 1 };
}
