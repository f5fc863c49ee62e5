/** @module nestjs-files */

// Module
export { FilesModule } from './files.module.js';
export type {
  FilesFactoryOptions,
  FilesModuleAsyncOptions,
  FilesModuleOptions,
  FilesModuleShape,
} from './files.options.js';
export type { FilesValidationOptions } from './ownership/validation-options.js';

// Task queue
export { addTask, TaskQueue } from './task-queue/task-queue.js';
export { NO_PREVIOUS_TASK, Task } from './task-queue/task.js';
export type { TaskFunction, TaskLike } from './task-queue/task.js';
export { WithTaskQueue } from './task-queue/with-task-queue.decorator.js';
export type { WithTaskQueueOptions } from './task-queue/with-task-queue.decorator.js';
export type { IsolationLevel } from './unit-of-work/dialects/dialect.js';
export type { UnitOptions } from './unit-of-work/unit-options.js';

// Jobs
export { FileJob } from './jobs/file-job.decorator.js';
export type { FileJobOptions, JobContext } from './jobs/file-job.decorator.js';

// Validation
export {
  AcceptFileStorage,
  AcceptFileType,
  FileExists,
  MaxFileSize,
  TransferOwnership,
} from './validation/file-constraints.js';
export type { FileFieldValidationOptions } from './validation/file-constraints.js';
export { ParseFileSize } from './validation/parse-file-size.pipe.js';
export { UploadAs } from './validation/upload-as.constraint.js';
export type { UploadAsOptions } from './validation/upload-as.constraint.js';
export type { TransferOwnershipOptions } from './validation/rules/transfer-ownership.rule.js';

// Files
export type { Actor, ActorResolver } from './actor/actor.js';
export { FilesService } from './files/files.service.js';
export type {
  CopyAllOptions,
  CopyFileOptions,
  CreateFileOptions,
  ExistingFile,
  FileChanges,
  ForceOption,
  NewFile,
  RegisterAllOptions,
  RegisterFileOptions,
  ReplaceOptions,
  StreamOptions,
} from './files/file-options.js';
export type { FileContent } from './files/content/open-content.js';
export { ManagedFile } from './files/managed-file.entity.js';
export type { OwnerReference } from './files/owner-reference.js';
export type { OwnerEntity, OwnerTypeName } from './files/owner-type-name.js';
export type { MetadataValue } from './files/metadata-value.js';
// With a star, because TypeScript does not allow augmenting an interface that is re-exported by name.
export type * from './files/file-metadata.js';
export type * from './files/file-owner-types.js';
export type { OwnershipChange, TransferOptions } from './files/ownership-port.js';
export { toPublicFile } from './files/public-file.js';
export type { PublicFile } from './files/public-file.js';
export type {
  FileCondition,
  FileDataFilter,
  FileFilter,
  FileSort,
  FoundFiles,
  ScanOptions,
  SearchOptions,
} from './files/search/file-filter.js';

// Ownership
export { FileField } from './ownership/guard/file-field.decorator.js';
export type { FileFieldOptions, ReplacePolicy } from './ownership/guard/file-field.decorator.js';
export type { IdField } from './ownership/id-field.js';
export { OwnershipTransferTask } from './ownership/ownership-transfer.task.js';
export { OwnsFiles } from './ownership/owns-files.decorator.js';
export type { OwnerRemovalPolicy, OwnsFilesOptions } from './ownership/owns-files.decorator.js';
export type { TransferStrategy } from './ownership/ownership-transfer.task.js';

// Access
export type { AccessDecision } from './access/access-decision.js';
export type { ScanRight, UploadPolicy } from './access/access-options.js';
export { callUser } from './access/call-user.js';
export { FileAccessGuard } from './access/file-access.guard.js';
export type { FileIdSource } from './access/file-access.guard.js';
export { FilePolicy } from './access/file-policy.decorator.js';
export type { FileAccessPolicy } from './access/file-policy.decorator.js';
export { FilesAccess } from './access/files-access.js';
export type { FileOperation, OwnerOperation } from './access/operations.js';
export { OwnerPolicy } from './access/owner-policy.decorator.js';
export type { FileOwnerPolicy } from './access/owner-policy.decorator.js';
export { RequireFileAccess } from './access/require-file-access.decorator.js';

// Answers to clients
export type { FilesHttpOptions, FilesRoute, RouteDecorators } from './http/http-options.js';
export { FilesErrorFilter } from './http/answers/files-error.filter.js';
