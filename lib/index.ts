/** @module nestjs-files */

// Module
export { FILES_ENTITIES, FilesModule } from './files.module.js';
export type {
  FilesFactoryOptions,
  FilesModuleAsyncOptions,
  FilesModuleOptions,
  FilesModuleShape,
} from './files.options.js';
export type { FilesValidationOptions } from './ownership/validation-options.js';
export { FILES_MIGRATIONS } from './migrations/files-migrations.js';
export { runMigrations } from './migrations/run-migrations.js';

// Task queue
export { addTask } from './task-queue/add-task.js';
export { NO_PREVIOUS_TASK, Task } from './task-queue/task.js';
export type { TaskFunction, TaskLike } from './task-queue/task.js';
export { TaskQueue } from './task-queue/task-queue.js';
export { WithTaskQueue } from './task-queue/with-task-queue.decorator.js';
export type { WithTaskQueueOptions } from './task-queue/with-task-queue.decorator.js';
export type { IsolationLevel } from './unit-of-work/dialects/dialect.js';
export type { UnitOptions } from './unit-of-work/unit-options.js';

// Validation
export { AcceptFileStorage } from './validation/accept-file-storage.constraint.js';
export { AcceptFileType } from './validation/accept-file-type.constraint.js';
export type { FileFieldValidationOptions } from './validation/file-constraint.js';
export { FileExists } from './validation/file-exists.constraint.js';
export { MaxFileSize } from './validation/max-file-size.constraint.js';
export { ParseFileSize } from './validation/parse-file-size.pipe.js';
export { UploadAs } from './validation/upload-as.constraint.js';
export type { UploadAsOptions } from './validation/upload-as.constraint.js';
export { TransferOwnership } from './validation/transfer-ownership.constraint.js';
export type { TransferOwnershipOptions } from './validation/rules/transfer-options.js';

// Validation with Standard Schema
export type { FileRules, RuleTree } from './validation/schema/file-rules.js';
export {
  acceptFileStorage,
  acceptFileType,
  fileExists,
  maxFileSize,
  transferOwnership,
} from './validation/schema/rules.js';
export type { SchemaRuleOptions } from './validation/schema/rules.js';
export type { SchemaFileRule } from './validation/schema/schema-file-rule.js';
export type { SchemaOutput, StandardSchema } from './validation/schema/standard-schema.js';
export { withFiles } from './validation/schema/with-files.js';

// Files
export type { Actor, ActorResolver } from './files/actor.js';
export { FilesService } from './files/files.service.js';
export type {
  CopyFileOptions,
  CreateFileOptions,
  ForceOption,
  NewFile,
  RegisterFileOptions,
  ReplaceOptions,
} from './files/file-options.js';
export type { FileContent } from './files/open-content.js';
export { FilesSweeper } from './files/files-sweeper.js';
export { FileIntent } from './files/file-intent.entity.js';
export type { IntentKind } from './files/file-intent.entity.js';
export { ManagedFile } from './files/managed-file.entity.js';
export type { OwnerReference } from './files/owner-reference.js';
export type { OwnerEntity, OwnerTypeName } from './files/owner-type-name.js';
// With a star, because TypeScript does not allow augmenting an interface that is re-exported by name.
export type * from './files/file-owner-types.js';
export type { OwnershipChange, TransferOptions } from './files/ownership-port.js';
export type { SweepStep } from './files/sweep-preview.js';
export type { SweepReport } from './files/sweep-report.js';
export type { SweeperOptions } from './files/sweeper-options.js';
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
export { FileTransfer } from './ownership/file-transfer.entity.js';
export type { TransferAction } from './files/transfer-action.js';
export { FileField } from './ownership/guard/file-field.decorator.js';
export type { FileFieldOptions, ReplacePolicy } from './ownership/guard/file-field.decorator.js';
export { createGuards, dropGuards } from './ownership/guard/database/database-guards.js';
export type { GuardedTargets, GuardOptions } from './ownership/guard/database/database-guards.js';
export { guardMigration } from './ownership/guard/database/guard-migration.js';
export type { IdField } from './ownership/id-field.js';
export { OwnershipTransferTask } from './ownership/ownership-transfer.task.js';
export { OwnsFiles } from './ownership/owns-files.decorator.js';
export type { OwnerRemovalPolicy, OwnsFilesOptions } from './ownership/owns-files.decorator.js';
export { StorageMark } from './files/storage-mark.entity.js';
export { adoptStorage } from './files/storage-marks.js';
export { FileUsage } from './ownership/quotas/file-usage.entity.js';
export type { Quota, QuotaOption, QuotaOptions } from './ownership/quotas/quota-options.js';
export { Quotas } from './ownership/quotas/quotas.js';
export type { TransferStrategy } from './ownership/stated-target.js';

// Uploads in actions
export { FileStaging } from './staging/file-staging.js';
export type { StageOptions } from './staging/file-staging.js';
export { findStagedFile } from './staging/staged-files.js';
export type { StagedFile } from './staging/staged-file.js';
export type { UploadAndAttachOptions } from './staging/stated-attachment.js';
export { UploadAndAttachTask } from './staging/upload-and-attach.task.js';
export type { AttachAs } from './staging/upload-rule.js';

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

// Audit
export type {
  AuditedRecord,
  AuditFinding,
  BytesFinding,
  FieldFinding,
  ForeignFileFinding,
  InvalidIdFinding,
  MissingBytesFinding,
  MissingFileFinding,
  OwnerGoneFinding,
  UncheckedBytesFinding,
  UnnamedFileFinding,
  WrongHashFinding,
  WrongSizeFinding,
} from './audit/audit-finding.js';
export type { AuditOptions } from './audit/audit-options.js';
export { FilesAudit } from './audit/files-audit.js';

// Links
export { FileLink } from './links/file-link.entity.js';
export { FilesLinks } from './links/files-links.js';
export type { FoundLink, OpenedLink, TemporaryLink } from './links/files-links.js';
export type { LinkOptions } from './links/link-options.js';
export type { LinkPurpose } from './links/link-token.js';
export type { LinksOptions } from './links/links-options.js';
export type { TemporaryLinkRequest, TemporaryLinkStorage } from './storage/temporary-link.js';

// Answers to clients
export type { FilesHttpOptions, FilesRoute, RouteDecorators } from './http/http-options.js';
export { FilesErrorFilter } from './http/files-error.filter.js';

// Storage
export { Capability } from './storage/capability.js';
export { getStorageToken, InjectStorage } from './storage/inject-storage.js';
export { dateLocation, extensionLocation, shardedLocation, uuidLocation } from './storage/location-transformer.js';
export type { LocationInput, LocationTransformer } from './storage/location-transformer.js';
export type { StorageLimits } from './storage/storage-limits.js';
export type { MarkPlace } from './storage/mark-place.js';
export { StorageRegistry } from './storage/storage-registry.js';
export { Storage } from './storage/storage.js';
export type { ByteRange, Leftovers, LocatedObject, StorageContext, StoredObject } from './storage/storage.js';

// Diagnostics
export { FILES_CHANNELS } from './diagnostics/traces.js';
export type {
  AuditTrace,
  DownloadTrace,
  DrainTrace,
  SweepTrace,
  TaskTrace,
  TransferTrace,
  UnitTrace,
  UploadTrace,
} from './diagnostics/traces.js';

// Errors
export { FilesError } from './errors/files-error.js';
export type { FilesErrorBody } from './errors/files-error.js';
export {
  AccessDeniedError,
  AuthenticationRequiredError,
  LinkExpiredError,
  LinkNotFoundError,
  LinkUsedError,
  PolicyAnswerInvalidError,
} from './errors/access.errors.js';
export {
  AuditOptionInvalidError,
  DatabaseMismatchError,
  EntitiesMissingError,
  OptionInvalidError,
  DecorationInvalidError,
  LinkOptionInvalidError,
  MigrationLockRefusedError,
  RuntimeMissingError,
  StorageMarkMismatchedError,
  StorageNamedTwiceError,
  StorageOptionInvalidError,
  TransferStrategyUnknownError,
} from './errors/setup.errors.js';
export {
  ByteSizeInvalidError,
  UploadMalformedError,
  MultipartExpectedError,
  PreconditionFailedError,
  RangeInvalidError,
  RangeNotSatisfiableError,
  RequestInvalidError,
  SearchQueryInvalidError,
  UploadAbortedError,
  UploadIdleError,
  UploadLimitExceededError,
  UploadNotTakenError,
} from './errors/requests.errors.js';
export {
  CapabilityMissingError,
  LocationInvalidError,
  LocationNotFoundError,
  LocationPendingError,
  LocationRefusedError,
  LocationRegisteredError,
  LocationTakenError,
  StorageFailedError,
  StorageUnknownError,
} from './errors/storage.errors.js';
export {
  CommitLostError,
  CommitOutcomeUnknownError,
  IsolationLevelRefusedError,
  LeaseTimeoutError,
  TaskQueueMissingError,
  SecondConnectionMissingError,
  ShuttingDownError,
  TaskFailedError,
  TransactionNotJoinedError,
  WorkUnawaitedError,
  UnitAbortedError,
  UnitEndedError,
  UnitTimeoutError,
} from './errors/units.errors.js';
export {
  ContentSpentError,
  ContentTypeInvalidError,
  FileChangedError,
  FileCorruptError,
  FileNameInvalidError,
  FileNotFoundError,
  FilePinnedError,
  FileStorageMissingError,
  FileTooLargeError,
  FileTypeChangedError,
  FileTypeNotAcceptedError,
  FileUnownedError,
  ValidationFailedError,
  IntentLostError,
} from './errors/files.errors.js';
export {
  DatabaseGuardImpossibleError,
  FilesInUseError,
  FilesNotNamedError,
  FilesNotOwnError,
  RecordWriteUnseenError,
} from './errors/guard.errors.js';
export {
  OwnerConflictError,
  OwnerHasFilesError,
  OwnerNamesFilesError,
  OwnerNotFoundError,
  OwnerNotResolvedError,
  OwnerReferenceInvalidError,
  QuotaExceededError,
} from './errors/ownership.errors.js';
export type { FieldProblem, FileProblem, FileProblemCode, FileProblemMessages } from './errors/file-problem.js';
export type { FileUse } from './errors/guard.errors.js';
