import { Injectable } from '@nestjs/common';
import { type AuditTrace, auditTrace } from '../diagnostics/traces.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { auditFiles } from './audit-files.js';
import type { AuditFinding } from './audit-finding.js';
import { readAuditOptions } from './audit-options.js';
import type { AuditOptions } from './audit-options.js';
import { AuditReads } from './audit-reads.js';
import { auditRecords } from './audit-records.js';
import type { AuditScope } from './audit-scope.js';
import { auditedTables } from './audited-tables.js';
import { orphanedBytes, storagesToSearch } from './orphaned-bytes.js';
import type { OrphanedBytes, OrphanOptions } from './orphaned-bytes.js';

/**
 * Checks the promise in the database and the storages: every record names only its own files, and every file exists.
 */
@Injectable()
export class FilesAudit {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    private readonly runtime: TransferRuntime,
    private readonly storages: StorageRegistry,
  ) {}

  /**
   * Goes through the rows of all guarded classes, then through all files, and yields what is wrong. It reads page by
   * page, changes nothing, and may run while others write: each finding was true at one moment. Leaving the loop ends
   * it. Throws `AuditOptionInvalidError`.
   * @example for await (const finding of audit.run()) console.log(JSON.stringify(finding));
   */
  run(options: AuditOptions = {}): AsyncGenerator<AuditFinding, void> {
    return each(this.pages(options));
  }

  /**
   * As `run()`, but yields the findings of each page together, as soon as the page was looked at.
   * @internal
   */
  pages(options: AuditOptions = {}): AsyncGenerator<AuditFinding[], void> {
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

  /**
   * How much there is to look at, without `since`.
   * @internal
   */
  async count(): Promise<number> {
    const { dataSource } = this.transactor;
    let count = await dataSource.getRepository(ManagedFile).count();
    for (const { root } of auditedTables(dataSource))
      count += await dataSource.getRepository(root.metadata.target).count({ withDeleted: true });
    return count;
  }

  /**
   * Goes through what storages have, and yields the bytes that no file refers to: another program wrote them, or a
   * restored database left them. It changes nothing. Bytes of intents and of direct uploads, and those younger than
   * `olderThan`, are left out. If another application shares the storage, its bytes are reported, too. Throws
   * `AuditOptionInvalidError`, `StorageUnknownError`, and `CapabilityMissingError` where the storage cannot list.
   * @example
   * for await (const { location } of audit.orphans({ storage: 'archive' })) console.log(location);
   */
  orphans(options: OrphanOptions = {}): AsyncGenerator<OrphanedBytes, void> {
    const storages = storagesToSearch(this.storages, options);
    return orphanedBytes(storages, this.storages, new AuditReads(this.transactor), options);
  }
}

async function* each<T>(pages: AsyncIterable<readonly T[]>): AsyncGenerator<T, void> {
  for await (const page of pages) yield* page;
}

async function* audit(scope: AuditScope & { readonly counts: AuditTrace }): AsyncGenerator<AuditFinding[], void> {
  const end = traced(scope.counts);
  try {
    for (const part of [auditRecords, auditFiles]) {
      for await (const findings of part(scope)) {
        scope.counts.findings += findings.length;
        yield findings;
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
