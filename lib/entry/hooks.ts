/**
 * What the application does with stored files.
 * @module nestjs-files/hooks
 */

export { OnFileStored } from '../files/stored/on-file-stored.decorator.js';
export type { StoredHook, StoringContext, StoringOperation } from '../files/stored/on-file-stored.decorator.js';
