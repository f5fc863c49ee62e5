/**
 * Tracing channels, and their payloads.
 * @module nestjs-files/diagnostics
 */

export { FILES_CHANNELS } from '../diagnostics/traces.js';
export type {
  AuditTrace,
  DownloadTrace,
  DrainTrace,
  EnqueueTrace,
  JobCarrier,
  JobTrace,
  SweepTrace,
  TaskTrace,
  TransferTrace,
  UnitTrace,
  UploadTrace,
} from '../diagnostics/traces.js';
