/**
 * What the application does with stored and scanned files, and what it derives from them.
 * @module nestjs-files/hooks
 */

export { OnFileStored } from '../files/stored/on-file-stored.decorator.js';
export type { StoredHook, StoringContext, StoringOperation } from '../files/stored/on-file-stored.decorator.js';
export { DerivedFile } from '../files/derived/derived-file.decorator.js';
export type { DerivationContext, DerivedFileOptions, DerivedMethod } from '../files/derived/derived-file.decorator.js';
export { DerivedFiles } from '../files/derived/derived-files.js';
export { OnFileScanned } from '../scan/on-file-scanned.decorator.js';
export type { ScannedContext } from '../scan/on-file-scanned.decorator.js';
