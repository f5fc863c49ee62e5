/**
 * Uploads in an action by hand: what `@UploadAs()` does automatically.
 * @module nestjs-files/staging
 */

export { FileStaging } from '../staging/file-staging.js';
export type { StageOptions } from '../staging/file-staging.js';
export type { StagedFile } from '../staging/staged-file.js';
export { findStagedFile } from '../staging/staged-files.js';
export type { UploadAndAttachOptions } from '../staging/upload-and-attach.task.js';
export { UploadAndAttachTask } from '../staging/upload-and-attach.task.js';
export type { AttachAs } from '../staging/upload-rule.js';
