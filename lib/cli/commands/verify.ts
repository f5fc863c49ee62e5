import { FilesAudit } from '../../audit/files-audit.js';
import type { AuditFinding } from '../../audit/audit-finding.js';
import { FilesService } from '../../files/files.service.js';
import { type Command, UsageError } from '../command.js';
import { momentIn, textIn } from '../values.js';

const FIXABLE = 'unnamed-file';

export const verify: Command = {
  name: 'verify',
  summary: 'Checks that records name only their own files, and that files have their bytes',
  example: 'nestjs-files verify --since 7d --json',
  options: {
    deep: { kind: 'flag', help: 'read all bytes, and compare their hashes' },
    'no-bytes': { kind: 'flag', help: 'check only the database' },
    since: { kind: 'text', value: 'AGE', help: 'only rows and files written since then, such as 7d or 2026-01-31' },
    fix: {
      kind: 'text',
      value: FIXABLE,
      help: 'unpin owned files that no record names, which their owners may then delete',
    },
    'dry-run': { kind: 'flag', help: 'with --fix: change nothing' },
  },
  async run({ app, options, out, signal }) {
    const fixes = isFixing(textIn(options, 'fix'));
    const since = momentIn(options, 'since');
    const audit = app.get(FilesAudit, { strict: false });
    const terms = {
      deep: options['deep'] === true,
      bytes: options['no-bytes'] !== true,
      signal,
      ...(since && { since }),
    };
    let [found, fixed] = [0, 0];
    for await (const finding of audit.run(terms)) {
      const isFixed = fixes && isFixable(finding);
      if (isFixed && options['dry-run'] !== true) await app.get(FilesService, { strict: false }).unpin(finding.fileId);
      found++;
      if (isFixed) fixed++;
      await out.result({ ...finding, ...(isFixed && { fixed: options['dry-run'] !== true }) }, textOf(finding));
    }
    out.note(`${found} found${fixes ? `, ${fixed} ${options['dry-run'] ? 'would be' : 'were'} unpinned` : ''}`);
    return found > (options['dry-run'] ? 0 : fixed) ? 1 : 0;
  },
};

/** Whether findings are to be fixed; throws `UsageError` for a kind that cannot be. */
function isFixing(kind: string | undefined): boolean {
  if (kind !== undefined && kind !== FIXABLE)
    throw new UsageError(`--fix is "${kind}". Only "${FIXABLE}" can be fixed without a loss.`);
  return kind !== undefined;
}

function isFixable(finding: AuditFinding): finding is Extract<AuditFinding, { kind: typeof FIXABLE }> {
  return finding.kind === FIXABLE && !finding.mayBeKept;
}

function textOf({ kind, ...finding }: AuditFinding): string {
  const details = Object.entries(finding).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${kind}: ${details.join(', ')}`;
}
