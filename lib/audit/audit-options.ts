import { AuditOptionInvalidError } from '../errors/setup.errors.js';

/** The scope of an audit, and how it reads. */
export interface AuditOptions {
  /**
   * Only rows and files that were written since then, if the database tells; docs/audit.md lists the exceptions.
   * @default everything
   */
  since?: Date;
  /** Whether storages are asked for the bytes of each file: that they are there, and how many. @default true */
  bytes?: boolean;
  /** Whether all bytes are read and hashed. @default false */
  deep?: boolean;
  /** How many files have their bytes looked at side by side. @default 16 */
  concurrency?: number;
  /** Ends the audit: the loop over it throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after each page, with how many rows of guarded classes and how many files have been looked at so far. */
  onProgress?: (looked: AuditProgress) => void;
}

/** How far an audit is. */
export interface AuditProgress {
  /** Rows of guarded classes. */
  readonly records: number;
  /** Files, with their bytes if the audit looks at them. */
  readonly files: number;
}

export interface CheckedAuditOptions {
  readonly since: Date | undefined;
  readonly bytes: boolean;
  readonly deep: boolean;
  readonly concurrency: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((looked: AuditProgress) => void) | undefined;
}

/** Fills in the defaults; throws `AuditOptionInvalidError` for an invalid value. */
export function readAuditOptions(options: AuditOptions): CheckedAuditOptions {
  const { since, bytes = true, deep = false, concurrency = 16, signal, onProgress } = options;
  if (since !== undefined && !(since instanceof Date && Number.isFinite(since.getTime()))) {
    throw new AuditOptionInvalidError('since', `it is ${String(since)}, and must be a valid Date`);
  }
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new AuditOptionInvalidError(
      'concurrency',
      `it is ${String(concurrency)}, and must be a whole number above zero`,
    );
  }
  if (deep && !bytes)
    throw new AuditOptionInvalidError('deep', 'it reads bytes, and `bytes` is false. Leave out one of them');
  return { since, bytes, deep, concurrency, signal, onProgress };
}
