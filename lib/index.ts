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
export { AccessDeniedError } from './errors/access-denied.error.js';
export { AuditOptionError } from './errors/audit-option.error.js';
export { AuthenticationRequiredError } from './errors/authentication-required.error.js';
export { ByteSizeError } from './errors/byte-size.error.js';
export { CapabilityMissingError } from './errors/capability-missing.error.js';
export { CommitLostError } from './errors/commit-lost.error.js';
export { CommitOutcomeUnknownError } from './errors/commit-outcome-unknown.error.js';
export { ContentSpentError } from './errors/content-spent.error.js';
export { ContentTypeError } from './errors/content-type.error.js';
export { DatabaseGuardError } from './errors/database-guard.error.js';
export { DatabaseMismatchError } from './errors/database-mismatch.error.js';
export { EntitiesMissingError } from './errors/entities-missing.error.js';
export { FileChangedError } from './errors/file-changed.error.js';
export { FileCorruptError } from './errors/file-corrupt.error.js';
export { FileNameError } from './errors/file-name.error.js';
export { FileNotFoundError } from './errors/file-not-found.error.js';
export { FileOwnerConflictError } from './errors/file-owner-conflict.error.js';
export { FilePinnedError } from './errors/file-pinned.error.js';
export { FileStorageMissingError } from './errors/file-storage-missing.error.js';
export { FileTooLargeError } from './errors/file-too-large.error.js';
export { FileTypeChangedError } from './errors/file-type-changed.error.js';
export { FileTypeNotAcceptedError } from './errors/file-type-not-accepted.error.js';
export { FileUnownedError } from './errors/file-unowned.error.js';
export type { FieldProblem, FileProblem, FileProblemCode, FileProblemMessages } from './errors/file-problem.js';
export { FileValidationError } from './errors/file-validation.error.js';
export { FilesInUseError } from './errors/files-in-use.error.js';
export type { FileUse } from './errors/files-in-use.error.js';
export { FilesNotNamedError } from './errors/files-not-named.error.js';
export { FilesNotOwnError } from './errors/files-not-own.error.js';
export { FilesOptionError } from './errors/files-option.error.js';
export { IntentLostError } from './errors/intent-lost.error.js';
export { InvalidDecorationError } from './errors/invalid-decoration.error.js';
export { IsolationLevelError } from './errors/isolation-level.error.js';
export { LeaseTimeoutError } from './errors/lease-timeout.error.js';
export { LinkExpiredError } from './errors/link-expired.error.js';
export { LinkNotFoundError } from './errors/link-not-found.error.js';
export { LinkOptionError } from './errors/link-option.error.js';
export { LinkUsedError } from './errors/link-used.error.js';
export { LocationInvalidError } from './errors/location-invalid.error.js';
export { LocationNotFoundError } from './errors/location-not-found.error.js';
export { LocationPendingError } from './errors/location-pending.error.js';
export { LocationRefusedError } from './errors/location-refused.error.js';
export { LocationRegisteredError } from './errors/location-registered.error.js';
export { LocationTakenError } from './errors/location-taken.error.js';
export { MalformedUploadError } from './errors/malformed-upload.error.js';
export { MigrationLockError } from './errors/migration-lock.error.js';
export { MultipartExpectedError } from './errors/multipart-expected.error.js';
export { OutOfQueueError } from './errors/out-of-queue.error.js';
export { OwnerHasFilesError } from './errors/owner-has-files.error.js';
export { OwnerNamesFilesError } from './errors/owner-names-files.error.js';
export { OwnerNotFoundError } from './errors/owner-not-found.error.js';
export { OwnerNotResolvedError } from './errors/owner-not-resolved.error.js';
export { OwnerReferenceError } from './errors/owner-reference.error.js';
export { PolicyAnswerError } from './errors/policy-answer.error.js';
export { PreconditionFailedError } from './errors/precondition-failed.error.js';
export { QuotaExceededError } from './errors/quota-exceeded.error.js';
export { RangeInvalidError } from './errors/range-invalid.error.js';
export { RangeNotSatisfiableError } from './errors/range-not-satisfiable.error.js';
export { RecordWriteUnseenError } from './errors/record-write-unseen.error.js';
export { RequestInvalidError } from './errors/request-invalid.error.js';
export { RuntimeMissingError } from './errors/runtime-missing.error.js';
export { SearchQueryError } from './errors/search-query.error.js';
export { SecondConnectionError } from './errors/second-connection.error.js';
export { ShuttingDownError } from './errors/shutting-down.error.js';
export { StorageFailureError } from './errors/storage-failure.error.js';
export { StorageMarkError } from './errors/storage-mark.error.js';
export { StorageNameError } from './errors/storage-name.error.js';
export { StorageOptionError } from './errors/storage-option.error.js';
export { TaskFailedError } from './errors/task-failed.error.js';
export { TransactionNotJoinedError } from './errors/transaction-not-joined.error.js';
export { TransferStrategyError } from './errors/transfer-strategy.error.js';
export { UnawaitedWorkError } from './errors/unawaited-work.error.js';
export { UnitAbortedError } from './errors/unit-aborted.error.js';
export { UnitEndedError } from './errors/unit-ended.error.js';
export { UnitTimeoutError } from './errors/unit-timeout.error.js';
export { UnknownStorageError } from './errors/unknown-storage.error.js';
export { UploadAbortedError } from './errors/upload-aborted.error.js';
export { UploadIdleError } from './errors/upload-idle.error.js';
export { UploadLimitError } from './errors/upload-limit.error.js';
export { UploadNotTakenError } from './errors/upload-not-taken.error.js';
