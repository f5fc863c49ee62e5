import type { EntityManager } from 'typeorm';
import { FileChangedError } from '../../errors/files.errors.js';
import type { FileScanner } from '../../storage/file-scanner.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { latestFiles } from '../lock-files.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { scanOfCopy, unscannedBy } from './scan-state.js';
import type { ScanFields } from './scan-state.js';

const IDS_PER_STATEMENT = 10_000;

/** An original as it was before its bytes were copied, and what scans the copy. */
export interface CopiedTo {
  readonly file: ManagedFile;
  readonly scanner: FileScanner | undefined;
}

/**
 * The scan state of each copy, in their order. Call it in the transaction that writes their rows: another scan may have
 * found something in a clean original while its bytes were copied. One statement, and none if no original was clean. A
 * copy of an original that is gone or has other content by now is scanned; throws `FileChangedError` where nothing
 * would scan it.
 */
export async function verdictsOfCopies(manager: EntityManager, copies: readonly CopiedTo[]): Promise<ScanFields[]> {
  const clean = copies.flatMap(({ file: { id, scan } }) => (scan === 'clean' ? id : []));
  const now = new Map<string, ManagedFile>();
  for (const ids of inChunks(clean, IDS_PER_STATEMENT))
    for (const file of await latestFiles(manager, ids)) now.set(file.id, file);
  return copies.map(({ file, scanner }) => {
    if (file.scan !== 'clean') return scanOfCopy(file, scanner);
    const current = now.get(file.id);
    if (current?.storage === file.storage && current.location === file.location) return scanOfCopy(current, scanner);
    if (!scanner) throw new FileChangedError([file.id]);
    return unscannedBy(scanner);
  });
}
