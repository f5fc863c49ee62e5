import { auditBytes } from './audit-bytes.js';
import type { AuditFinding } from './audit-finding.js';
import { auditOwners } from './audit-owners.js';
import { advance } from './audit-scope.js';
import type { AuditScope } from './audit-scope.js';
import { FILES_PER_PAGE, nextFiles } from './file-pages.js';
import { ownerTypes } from './owner-types.js';

/**
 * Goes through the files: whether their owners are there and name them, and whether they have their bytes. Yields what
 * each page has.
 */
export async function* auditFiles(scope: AuditScope): AsyncGenerator<AuditFinding[], void> {
  const types = ownerTypes(scope.dataSource);
  let after: string | undefined;
  for (let isLast = false; !isLast;) {
    scope.signal?.throwIfAborted();
    const files = await scope.reads.now((manager) => nextFiles(manager, after, scope.since));
    yield await auditOwners(scope, types, files);
    if (scope.bytes) yield* auditBytes(scope, files);
    else advance(scope, 'files', files.length);
    after = files.at(-1)?.id;
    isLast = files.length < FILES_PER_PAGE;
  }
}
