/**
 * The sweeper, the audit, quotas, and storages that moved.
 * @module nestjs-files/maintenance
 */

export type {
  AuditFinding,
  AuditedRecord,
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
} from '../audit/audit-finding.js';
export type { AuditOptions, AuditProgress } from '../audit/audit-options.js';
export { FilesAudit } from '../audit/files-audit.js';
export type { OrphanedBytes, OrphanOptions } from '../audit/orphaned-bytes.js';
export type { DraftOptions } from '../files/drafts/draft-options.js';
export { FilesDrafts } from '../files/drafts/files-drafts.js';
export type { DraftsReport, ExpireOptions } from '../files/drafts/files-drafts.js';
export { FilesMirror } from '../files/files-mirror.js';
export type { MirroredFile, MirrorOptions, MirrorOutcome, UnmirroredFile } from '../files/files-mirror.js';
export { FilesMover } from '../files/files-mover.js';
export type { BulkOptions } from '../files/bulk-options.js';
export type { MovedFile, MoveFilesOptions, MoveOutcome, UnmovedFile } from '../files/files-mover.js';
export { FilesSweeper } from '../files/intents/files-sweeper.js';
export { adoptStorage } from '../files/marks/storage-marks.js';
export type { SweepStep } from '../files/intents/sweep-preview.js';
export type { SweepOptions, SweepReport } from '../files/intents/sweep-report.js';
export type { SweeperOptions } from '../files/intents/sweeper-options.js';
export type { Quota, QuotaOption, QuotaOptions } from '../ownership/quotas/quota-options.js';
export { Quotas } from '../ownership/quotas/quotas.js';
