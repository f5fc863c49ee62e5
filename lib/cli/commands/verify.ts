import type { INestApplicationContext } from '@nestjs/common';
import { FilesAudit } from '../../audit/files-audit.js';
import type { AuditProgress } from '../../audit/audit-options.js';
import type { AuditFinding, UnnamedFileFinding } from '../../audit/audit-finding.js';
import { stillUnnamed } from '../../audit/audit-owners.js';
import { FilesService } from '../../files/files.service.js';
import { lockFiles } from '../../files/lock-files.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { type Command, type OptionValues, UsageError } from '../command.js';
import { countIn, momentIn, textIn } from '../values.js';

const FIXABLE = 'unnamed-file';
// Their pins are lifted with the statements of one.
const FIXED_AT_ONCE = 100;
// Deadlocks with units that lock the same files are tried again this often.
const RETRIES = 5;

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
      help: 'unpin owned files that no record names, unless a field of the owner keeps files (onReplace)',
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
    let [found, fixed] = [0, 0];
    const tell = async (findings: readonly AuditFinding[], done: ReadonlySet<AuditFinding>): Promise<void> => {
      for (const finding of findings) {
        const isFixed = done.has(finding);
        found++;
        if (isFixed) fixed++;
        await out.result({ ...finding, ...(isFixed && { fixed: !isDry }) }, textOf(finding));
      }
    };
    for await (const page of audit.pages(terms)) {
      // Held for no longer than it takes to fix them: neither an error later on nor Ctrl-C may lose what was found.
      const rest = [...page];
      while (rest.length > 0) {
        const some = rest.splice(0, FIXED_AT_ONCE);
        const fixable = fixes ? some.filter(isFixable) : [];
        const held = isDry
          ? fixable
          : await unpinned(app, fixable).catch(async (error: unknown) => {
              await tell([...some, ...rest], new Set());
              throw error;
            });
        const done = new Set<AuditFinding>(held);
        const hasGone = new Set<AuditFinding>(fixable.filter((finding) => !done.has(finding)));
        await tell(
          some.filter((finding) => !hasGone.has(finding)),
          done,
        );
      }
    }
    progress.end();
    out.note(`${found} found${fixes ? `, ${fixed} ${isDry ? 'would be' : 'were'} unpinned` : ''}`);
    return found > (isDry ? 0 : fixed) ? 1 : 0;
  },
};

/**
 * Unpins the files that their owners still do not name. Resolves with what held of them: a record that names the file
 * by now keeps its pin. Whoever saves one meanwhile waits for the lock of the file, and pins it then.
 */
async function unpinned(
  app: INestApplicationContext,
  findings: readonly UnnamedFileFinding[],
): Promise<readonly UnnamedFileFinding[]> {
  if (findings.length === 0) return [];
  const files = app.get(FilesService, { strict: false });
  const ids = findings.map(({ fileId }) => fileId);
  const unpin = async ({ manager }: UnitOfWork): Promise<readonly UnnamedFileFinding[]> => {
    await lockFiles(manager, ids);
    const held = await stillUnnamed(manager, findings);
    if (held.length > 0) await files.unpin(held.map(({ fileId }) => fileId));
    return held;
  };
  return app.get(Transactor, { strict: false }).run(unpin, { retry: RETRIES });
}

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

function isFixable(finding: AuditFinding): finding is UnnamedFileFinding {
  return finding.kind === FIXABLE && !finding.mayBeKept;
}

function textOf({ kind, ...finding }: AuditFinding): string {
  const details = Object.entries(finding).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${kind}: ${details.join(', ')}`;
}
