/**
 * Direct uploads that the application begins and completes itself.
 * @module nestjs-files/uploads
 */

export type { DirectUploadOptions } from '../files/uploads/direct-upload-options.js';
export type {
  BeginUploadOptions,
  BegunParts,
  BegunUpload,
  BegunWhole,
  ByActor,
  SignedPart,
  UploadState,
} from '../files/uploads/direct-upload-types.js';
export { DirectUploads } from '../files/uploads/direct-uploads.js';
