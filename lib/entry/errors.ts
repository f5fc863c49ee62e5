/**
 * Every error of the library, and the parts of its answers.
 * @module nestjs-files/errors
 */

export {
  AccessDeniedError,
  AuthenticationRequiredError,
  LinkExpiredError,
  LinkNotFoundError,
  LinkUsedError,
  PolicyAnswerInvalidError,
} from '../errors/access.errors.js';
export type { FieldProblem, FileProblem, FileProblemCode, FileProblemMessages } from '../errors/file-problem.js';
export { FilesError } from '../errors/files-error.js';
export type { FilesErrorBody } from '../errors/files-error.js';
export {
  ContentSpentError,
  ContentTypeInvalidError,
  DerivedFileMissingError,
  FileChangedError,
  FileCorruptError,
  FileMetadataInvalidError,
  FileNameInvalidError,
  FileNotFoundError,
  FilePinnedError,
  FileRefusedError,
  FileStorageMissingError,
  FileTooLargeError,
  FileTypeChangedError,
  FileTypeNotAcceptedError,
  FileUnownedError,
  IntentLostError,
  ValidationFailedError,
} from '../errors/files.errors.js';
export {
  DatabaseGuardImpossibleError,
  FilesInUseError,
  FilesNotNamedError,
  FilesNotOwnError,
  RecordWriteUnseenError,
} from '../errors/guard.errors.js';
export type { FileUse } from '../errors/guard.errors.js';
export {
  JobLostError,
  JobOptionInvalidError,
  JobPayloadInvalidError,
  JobsRefusedError,
  JobTimeoutError,
  JobUnknownError,
} from '../errors/jobs.errors.js';
export {
  OwnerConflictError,
  OwnerHasFilesError,
  OwnerNamesFilesError,
  OwnerNotFoundError,
  OwnerNotResolvedError,
  OwnerReferenceInvalidError,
  QuotaExceededError,
} from '../errors/ownership.errors.js';
export {
  ByteSizeInvalidError,
  DigestInvalidError,
  DigestMismatchedError,
  MultipartExpectedError,
  PreconditionFailedError,
  RangeInvalidError,
  RangeNotSatisfiableError,
  RequestInvalidError,
  SearchQueryInvalidError,
  UploadAbortedError,
  UploadIdleError,
  UploadLimitExceededError,
  UploadMalformedError,
  UploadNotTakenError,
} from '../errors/requests.errors.js';
export {
  AuditOptionInvalidError,
  DatabaseMismatchError,
  DecorationInvalidError,
  EntitiesMissingError,
  LinkOptionInvalidError,
  MigrationLockRefusedError,
  MoveOptionInvalidError,
  OptionInvalidError,
  RuntimeMissingError,
  StorageMarkMismatchedError,
  StorageNamedTwiceError,
  StorageOptionInvalidError,
  TransferStrategyUnknownError,
} from '../errors/setup.errors.js';
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
} from '../errors/storage.errors.js';
export {
  CommitLostError,
  CommitOutcomeUnknownError,
  IsolationLevelRefusedError,
  LeaseTimeoutError,
  SecondConnectionMissingError,
  ShuttingDownError,
  TaskFailedError,
  TaskQueueMissingError,
  TransactionNotJoinedError,
  UnitAbortedError,
  UnitEndedError,
  UnitTimeoutError,
  WorkUnawaitedError,
} from '../errors/units.errors.js';
export {
  ChecksumInvalidError,
  TusVersionUnknownError,
  UploadBusyError,
  UploadChecksumMismatchedError,
  UploadFinalError,
  UploadIncompleteError,
  UploadLengthExceededError,
  UploadMismatchedError,
  UploadNotFoundError,
  UploadOffsetMismatchedError,
  UploadPartInvalidError,
  UploadStreamExpectedError,
} from '../errors/uploads.errors.js';
export type { FilesErrorCode } from '../errors/error-status.js';
export { FileInfectedError, FilePendingError, FileUnscannedError, ScannerFailedError } from '../errors/scan.errors.js';
