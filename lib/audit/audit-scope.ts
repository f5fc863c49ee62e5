import type { DataSource } from 'typeorm';
import type { TransferStatements } from '../ownership/statements/transfer-statements.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { AuditReads } from './audit-reads.js';
import type { CheckedAuditOptions } from './audit-options.js';

/** The state that the parts of one audit share. */
export interface AuditScope extends CheckedAuditOptions {
  readonly dataSource: DataSource;
  readonly reads: AuditReads;
  readonly statements: TransferStatements;
  readonly storages: StorageRegistry;
  readonly counts: { records: number; files: number };
}

/** Counts what was looked at, and tells of it. */
export function advance({ counts, onProgress }: AuditScope, what: 'records' | 'files', count: number): void {
  counts[what] += count;
  onProgress?.({ records: counts.records, files: counts.files });
}
