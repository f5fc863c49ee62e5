import { IsNull } from 'typeorm';
import type { EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { UploadNotFoundError } from '../../errors/uploads.errors.js';
import { notAfter } from '../columns.js';
import { normalizeFileId } from '../file-id.js';
import type { ByActor } from './direct-upload-types.js';
import { FileUpload } from './file-upload.entity.js';

/**
 * The row of an upload that has not expired; throws `UploadNotFoundError`, also for an upload of another actor, or of
 * the other sort.
 */
export async function findRow(
  manager: EntityManager,
  id: string,
  { by, now, isResumable }: { by: ByActor | undefined; now: number; isResumable: boolean },
): Promise<FileUpload> {
  const wanted = normalizeFileId(id);
  const row = wanted === undefined ? null : await manager.findOneBy(FileUpload, { id: wanted });
  const isShown = row && row.expiresAt.getTime() > now && isBy(row, by) && isResumableRow(row) === isResumable;
  if (!isShown) throw new UploadNotFoundError(id);
  return row;
}

function isBy(row: FileUpload, by: ByActor | undefined): boolean {
  if (!by) return true;
  const beginner = actorOf(row);
  return beginner?.type === by.actor?.type && beginner?.id === by.actor?.id;
}

/** Whether its bytes come through the application. */
export function isResumableRow({ kind }: FileUpload): boolean {
  return kind !== null && kind !== 'direct';
}

/** How many bytes the upload will have; undefined as long as the client has not announced it. */
export function lengthOf(row: FileUpload): number | undefined {
  return isResumableRow(row) ? (row.length ?? undefined) : row.size;
}

/** The uploads of which a final one consists. */
export function partsOf({ parts }: FileUpload): string[] {
  return parts === null || parts === '' ? [] : parts.split(' ');
}

/**
 * Ends the upload, if it is open, and has expired by `expiredBy`; from then on it expires at `expiresAt`. Of several
 * who do it at once, one is told that it has.
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

/** Who began the upload. */
export function actorOf({ actorType, actorId }: FileUpload): Actor | null {
  return actorType === null || actorId === null ? null : { type: actorType, id: actorId };
}

/** Whether the file will belong to who began the upload. */
export function isForActor(row: FileUpload): boolean {
  return row.ownerType === row.actorType && row.ownerId === row.actorId;
}

/** The usage that an open upload reserves for its owner. */
export function announced({ size }: FileUpload): { bytes: number; count: number } {
  return { bytes: size, count: 1 };
}
