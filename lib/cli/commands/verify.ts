import { FilesAudit } from '../../audit/files-audit.js';
import type { AuditProgress } from '../../audit/audit-options.js';
import type { AuditFinding } from '../../audit/audit-finding.js';
import { FileNotFoundError } from '../../errors/files.errors.js';
import { FilesService } from '../../files/files.service.js';
import { type Command, type OptionValues, UsageError } from '../command.js';
import { inHalves } from '../in-halves.js';
import { inPages } from '../in-pages.js';
import { countIn, momentIn, textIn } from '../values.js';

const FIXABLE = 'unnamed-file';
// Their pins are lifted with the statements of one.
const FIXED_AT_ONCE = 100;

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
    concurrency: { kind: 'count', help: 'how many files have their bytes looked at side by side (16)' },
    'dry-run': { kind: 'flag', help: 'with --fix: change nothing' },
  },
  async run({ app, options, out, signal }) {
    const fixes = isFixing(textIn(options, 'fix'));
    const audit = app.get(FilesAudit, { strict: false });
    const asked = termsIn(options);
    const progress = out.progress('checked', asked.since ? undefined : await audit.count());
    const onProgress = ({ records, files: looked }: AuditProgress): void => progress.reach(records + looked);
    const terms = { ...asked, signal, onProgress };
    const isDry = options['dry-run'] === true;
    const files = app.get(FilesService, { strict: false });
    let [found, fixed] = [0, 0];
    for await (const page of inPages(audit.run(terms), fixes ? FIXED_AT_ONCE : 1)) {
      const fixable = new Set<AuditFinding>(fixes ? page.filter(isFixable) : []);
      if (!isDry)
        await inHalves(
          [...fixable].filter(isFixable),
          (some) => files.unpin(some.map(({ fileId }) => fileId)),
          async (finding, error) => {
            if (!(error instanceof FileNotFoundError)) throw error;
            // It was deleted in the meantime.
            fixable.delete(finding);
          },
        );
      for (const finding of page) {
        const isFixed = fixable.has(finding);
        found++;
        if (isFixed) fixed++;
        await out.result({ ...finding, ...(isFixed && { fixed: !isDry }) }, textOf(finding));
      }
    }
    progress.end();
    out.note(`${found} found${fixes ? `, ${fixed} ${isDry ? 'would be' : 'were'} unpinned` : ''}`);
    return found > (isDry ? 0 : fixed) ? 1 : 0;
  },
};

function termsIn(options: OptionValues) {
  const [since, concurrency] = [momentIn(options, 'since'), countIn(options, 'concurrency')];
  return {
    deep: options['deep'] === true,
    bytes: options['no-bytes'] !== true,
    ...(since && { since }),
    ...(concurrency !== undefined && { concurrency }),
  };
}

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
