import type { ManagedFile } from '../managed-file.entity.js';
import type { FileUpload } from '../uploads/file-upload.entity.js';
import { partsOf } from '../uploads/upload-rows.js';
import type { ResumableState } from './resumable-types.js';

/** What clients see of an upload, of which so many bytes are there. */
export function stateOf(row: FileUpload, file: ManagedFile | undefined, offset: number): ResumableState {
  const { id, storage, length, metadata, kind } = row;
  return {
    id,
    kind: kind as ResumableState['kind'],
    storage,
    offset,
    length: length ?? undefined,
    // Each request that appends has prolonged it.
    expiresAt: row.expiresAt,
    metadata: metadata ?? undefined,
    parts: partsOf(row),
    file,
  };
}
