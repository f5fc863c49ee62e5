import { FileInfectedError, FilePendingError, FileUnscannedError } from '../../errors/scan.errors.js';
import type { Storage } from '../../storage/storage.js';
import type { ManagedFile } from '../managed-file.entity.js';

/** The scan state of a content. New content gets a new one. */
export type ScanFields = Pick<ManagedFile, 'scan' | 'scanner' | 'finding'>;

/** The scan state of content in a storage without a scanner. */
export const NOT_SCANNED: ScanFields = { scan: null, scanner: null, finding: null };

/** The name of the job that scans a file. */
export const SCAN_JOB = 'nestjs-files.scan';

/** The payload of the job. A scan is about the content, which another location would have if it was replaced. */
export interface ScanPayload {
  readonly fileId: string;
  readonly location: string;
}

/** The state of new content in the storage. */
export function unscannedIn({ scanner }: Storage): ScanFields {
  return scanner ? { scan: 'pending', scanner: scanner.name, finding: null } : NOT_SCANNED;
}

/**
 * The state of the same content in another storage, or the same. A verdict of a scanner of the same name holds. Throws unless the content is
 * clean or unscanned, where the other storage has no scanner: nothing would keep it closed, or ever open it.
 */
export function scanOfCopy(file: ManagedFile, to: Storage): ScanFields {
  const { scanner } = to;
  if (!scanner) {
    assertReadable(file);
    return NOT_SCANNED;
  }
  const { scan, finding } = file;
  return scan !== null && file.scanner === scanner.name ? { scan, scanner: scanner.name, finding } : unscannedIn(to);
}

/** Whether the content is clean, or nothing scans it. */
export function isReadable({ scan }: Pick<ManagedFile, 'scan'>): boolean {
  return scan === null || scan === 'clean';
}

/** Throws `FilePendingError`, `FileInfectedError` or `FileUnscannedError` unless the content is clean, or nothing scans it. */
export function assertReadable(file: Pick<ManagedFile, 'id' | 'scan'>): void {
  if (isReadable(file)) return;
  const { id, scan } = file;
  if (scan === 'infected') throw new FileInfectedError(id);
  throw scan === 'failed' ? new FileUnscannedError(id) : new FilePendingError(id);
}
