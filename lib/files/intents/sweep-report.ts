import type { RemovedBytes } from '../content/remove-unreferred.js';

/** The result of a sweep, without the part that other machines did meanwhile. */
export interface SweepReport {
  /** Intents, markers and direct uploads that were due. */
  examined: number;
  /** How many of these are finished: their bytes are gone now. */
  finished: number;
  /** How many of these lost only the intent, because a file refers to the bytes. */
  kept: number;
  /** The failures among these, and of the storages: they are logged, and tried again next time. */
  failed: number;
  /** Bytes that no file referred to, as far as their storage tells their size. */
  bytesRemoved: number;
  /** Unfinished files that writes had left in their storages. */
  leftovers: number;
  /**
   * Uploads that were never attached, and whose time is over. Their bytes are removed after this sweep, and do not
   * count here.
   */
  expired: number;
}

/** The options of a sweep. */
export interface SweepOptions {
  /** Called now and then with what has been done so far; also by a sweep that had begun before. It must not throw. */
  onProgress?: (report: SweepReport) => void;
}

export function emptyReport(): SweepReport {
  return { examined: 0, finished: 0, kept: 0, failed: 0, bytesRemoved: 0, leftovers: 0, expired: 0 };
}

/** Adds the fate of bytes; `undefined` if another process has dealt with them. */
export function count(report: SweepReport, removed: RemovedBytes | undefined): void {
  if (removed === undefined) return;
  if (removed.kept) report.kept++;
  else {
    report.finished++;
    report.bytesRemoved += removed.bytes;
  }
}
