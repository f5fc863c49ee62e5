/**
 * What the application does with stored and scanned files.
 * @module nestjs-files/hooks
 */

export { OnFileStored } from '../files/stored/on-file-stored.decorator.js';
export type { StoredHook, StoringContext, StoringOperation } from '../files/stored/on-file-stored.decorator.js';
export { OnFileScanned } from '../scan/on-file-scanned.decorator.js';
export type { ScannedContext } from '../scan/on-file-scanned.decorator.js';
