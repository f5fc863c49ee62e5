import { Injectable } from '@nestjs/common';
import { type AuditTrace, auditTrace } from '../diagnostics/traces.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { auditFiles } from './audit-files.js';
import type { AuditFinding } from './audit-finding.js';
import { readAuditOptions } from './audit-options.js';
import type { AuditOptions } from './audit-options.js';
import { AuditReads } from './audit-reads.js';
import { auditRecords } from './audit-records.js';
import type { AuditScope } from './audit-scope.js';

/** Checks the promise in the database and the storages: every record names only its own files, and every file exists. */
@Injectable()
export class FilesAudit {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    private readonly runtime: TransferRuntime,
    private readonly storages: StorageRegistry,
  ) {}

  /**
   * Goes through the rows of all guarded classes, then through all files, and yields what is wrong. It reads page by page, changes
   * nothing, and may run while others write: what it yields was so at one moment. Whoever leaves the loop ends it. Throws
   * `AuditOptionInvalidError`.
   * @example for await (const finding of audit.run()) console.log(JSON.stringify(finding));
   */
  run(options: AuditOptions = {}): AsyncGenerator<AuditFinding, void> {
    const { transactor, runtime, storages } = this;
    return audit({
      ...readAuditOptions(options),
      dataSource: transactor.dataSource,
      reads: new AuditReads(transactor),
      statements: runtime.statements,
      storages,
      counts: { records: 0, files: 0, findings: 0 },
    });
  }
}

async function* audit(scope: AuditScope & { readonly counts: AuditTrace }): AsyncGenerator<AuditFinding, void> {
  const end = traced(scope.counts);
  try {
    for (const part of [auditRecords, auditFiles]) {
      for await (const finding of part(scope)) {
        scope.counts.findings++;
        yield finding;
      }
    }
  } catch (error) {
    end(Promise.reject(error));
    throw error;
  } finally {
    end();
  }
}

/** Traces work that is done between the steps of a loop, until what it gives is called. */
function traced(counts: AuditTrace): (outcome?: Promise<never>) => void {
  let end: (outcome?: Promise<never>) => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  auditTrace
    .run(
      () => counts,
      () => ended,
    )
    .catch(() => undefined);
  return end;
}
