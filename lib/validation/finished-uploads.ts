import { In, IsNull, Not } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { normalizeFileId } from '../files/file-id.js';
import { FileUpload } from '../files/uploads/file-upload.entity.js';

/** The ids, of those that a field names, of completed uploads that the database still knows: they are those of their files, too. */
export async function finishedUploads(manager: EntityManager, value: unknown): Promise<ReadonlySet<string>> {
  const named = Array.isArray(value) ? (value as unknown[]) : [value];
  const ids = named.flatMap((id) => normalizeFileId(id) ?? []);
  if (ids.length === 0) return new Set();
  const rows = await manager.findBy(FileUpload, { id: In(ids), endedAt: Not(IsNull()) });
  return new Set(rows.map(({ id }) => id));
}
