import { FileInfectedError, FilePendingError, FileUnscannedError } from '../../errors/files.errors.js';
import type { FileScanner } from '../../storage/file-scanner.js';
import { contentTime } from '../derived/derived-rows.js';
import type { ManagedFile } from '../managed-file.entity.js';

/** The scan state of a content. New content gets a new one. */
export type ScanFields = Pick<ManagedFile, 'scan' | 'scanner' | 'finding'>;

/** The scan state of content that nothing scans. */
export const NOT_SCANNED: ScanFields = { scan: null, scanner: null, finding: null };

/** The name of the job that scans a file. */
export const SCAN_JOB = 'nestjs-files.scan';

/** The payload of the job. A scan is about the content, wherever its bytes are. */
export interface ScanPayload {
  readonly fileId: string;
  /** Where the bytes were when the job was queued. */
  readonly location: string;
  /** The content time of the file. Jobs of earlier versions lack it: they are about this location alone. */
  readonly contentTime?: number;
}

/** The payload of a job that scans the present content of the file. */
export function scanOf(file: Pick<ManagedFile, 'id' | 'location' | 'createdAt' | 'replacedAt'>): ScanPayload {
  return { fileId: file.id, location: file.location, contentTime: contentTime(file) };
}

/** The state of new content. */
export function unscannedBy(scanner: FileScanner | undefined): ScanFields {
  return scanner ? { scan: 'pending', scanner: scanner.name, finding: null } : NOT_SCANNED;
}

/**
 * The state of the same content in another place, which has this scanner. A verdict of a scanner of the same name
 * holds. Throws unless the content is clean or unscanned, where the other place has no scanner: nothing would keep it
 * closed, or ever open it.
 */
export function scanOfCopy(file: ManagedFile, scanner: FileScanner | undefined): ScanFields {
  if (!scanner) {
    assertReadable(file);
    return NOT_SCANNED;
  }
  const { scan, finding } = file;
  return scan !== null && file.scanner === scanner.name
    ? { scan, scanner: scanner.name, finding }
    : unscannedBy(scanner);
}

/** Whether the content is clean, or nothing scans it. */
export function isReadable({ scan }: Pick<ManagedFile, 'scan'>): boolean {
  return scan === null || scan === 'clean';
}

/**
 * Throws `FilePendingError`, `FileInfectedError` or `FileUnscannedError` unless the content is clean, or nothing scans
 * it.
 */
export function assertReadable(file: Pick<ManagedFile, 'id' | 'scan'>): void {
  if (isReadable(file)) return;
  const { id, scan } = file;
  if (scan === 'infected') throw new FileInfectedError(id);
  throw scan === 'failed' ? new FileUnscannedError(id) : new FilePendingError(id);
}
