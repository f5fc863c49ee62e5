import { FileCorruptError, ScannerFailedError } from '../errors/files.errors.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { exactLength } from '../storage/exact-length.js';
import type { FileScanner, ScanVerdict } from '../storage/file-scanner.js';
import type { Storage } from '../storage/storage.js';
import { untilAborted } from '../unit-of-work/until-aborted.js';

/** Content that is larger than the scanner takes. Another attempt would be the same. */
export class TooLargeForScannerError extends ScannerFailedError {}

/**
 * Streams the content of the file to the scanner. Throws unless that gives a verdict in time, and, for clean content,
 * after it has read all of it.
 */
export async function askScanner(
  file: ManagedFile,
  storage: Storage,
  scanner: FileScanner,
  signal: AbortSignal,
): Promise<ScanVerdict> {
  const { id, size, contentType, location } = file;
  const { name, maxSize = Infinity } = scanner;
  if (size > maxSize)
    throw new TooLargeForScannerError(name, `the file has ${size} bytes, and the scanner takes at most ${maxSize}`);
  signal.throwIfAborted();
  const bytes = await storage.read(location);
  const content = exactLength(bytes, size, () => new FileCorruptError(id, storage.name));
  // Scanners that have given up do not listen any more.
  content.on('error', () => {});
  try {
    const verdict = await untilAborted(scanner.scan(content, { size, contentType, signal }), signal);
    return readVerdict(name, verdict, content.readableEnded);
  } finally {
    content.destroy();
  }
}

function readVerdict(name: string, verdict: unknown, hasReadAll: boolean): ScanVerdict {
  const { clean, finding } = (verdict ?? {}) as { clean?: unknown; finding?: unknown };
  if (clean === false && typeof finding === 'string' && finding !== '') return { clean, finding };
  if (clean !== true) throw new ScannerFailedError(name, `it answered ${JSON.stringify(verdict)?.slice(0, 100)}`);
  if (!hasReadAll) throw new ScannerFailedError(name, 'it answered before it had read all of the content');
  return { clean };
}
