/**
 * Uploads from browsers and from Node.js.
 * @module nestjs-files/client
 */

export type { Capabilities, StorageCapabilities } from './capabilities.js';
export { readCapabilities } from './capabilities.js';
export { UploadError } from './upload-error.js';
export { upload } from './upload.js';
export type { KeyStore, TusLibrary, UploadedFile, UploadOptions, UploadWay } from './upload-options.js';
