/**
 * The entities behind the tables of the library.
 * @module nestjs-files/entities
 */

export { FILES_ENTITIES } from '../files.module.js';
export { FileIntent } from '../files/intents/file-intent.entity.js';
export type { IntentKind } from '../files/intents/file-intent.entity.js';
export { ManagedFile } from '../files/managed-file.entity.js';
export { StorageMark } from '../files/marks/storage-mark.entity.js';
export type { TransferAction } from '../files/ownership-port.js';
export { QueuedJob } from '../jobs/outbox/queued-job.entity.js';
export type { QueuedJobState } from '../jobs/outbox/queued-job.entity.js';
export { FileLink } from '../links/file-link.entity.js';
export { FileUpload } from '../files/uploads/file-upload.entity.js';
export type { UploadKind } from '../files/uploads/file-upload.entity.js';
export { FileTransfer } from '../ownership/file-transfer.entity.js';
export { FileUsage } from '../ownership/quotas/file-usage.entity.js';
