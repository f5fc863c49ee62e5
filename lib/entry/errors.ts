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
  FileDerivedError,
  FileInfectedError,
  FileMetadataInvalidError,
  FileNameInvalidError,
  FileNotFoundError,
  FilePendingError,
  FilePinnedError,
  FileRefusedError,
  FileStorageMissingError,
  FileTooLargeError,
  FileTypeChangedError,
  FileTypeNotAcceptedError,
  FileUnownedError,
  FileUnscannedError,
  IntentLostError,
  ScannerFailedError,
  ValidationFailedError,
} from '../errors/files.errors.js';
export {
  DatabaseGuardImpossibleError,
  FilesInUseError,
  FilesNotNamedError,
  FilesNotOwnError,
  OwnerConflictError,
  OwnerHasFilesError,
  OwnerNamesFilesError,
  OwnerNotFoundError,
  OwnerNotResolvedError,
  OwnerReferenceInvalidError,
  QuotaExceededError,
  RecordWriteUnseenError,
} from '../errors/ownership.errors.js';
export type { FileUse } from '../errors/ownership.errors.js';
export {
  JobLostError,
  JobOptionInvalidError,
  JobPayloadInvalidError,
  JobsRefusedError,
  JobTimeoutError,
  JobUnknownError,
} from '../errors/jobs.errors.js';
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
  DatabaseBusyError,
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
