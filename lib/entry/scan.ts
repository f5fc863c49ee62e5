/**
 * Scanners of content, and files that are scanned again. ClamAV is at `nestjs-files/scan/clamav`.
 * @module nestjs-files/scan
 */

export type { ScanState } from '../files/public-file.js';
export { FilesScans } from '../scan/files-scans.js';
export type { RescanOptions } from '../scan/files-scans.js';
export type { ScanningOptions } from '../scan/scanning-options.js';
export type { FileScanner, ScanContext, ScanVerdict } from '../storage/file-scanner.js';
