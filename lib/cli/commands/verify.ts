import { FilesAudit } from '../../audit/files-audit.js';
import type { AuditFinding } from '../../audit/audit-finding.js';
import { FilesService } from '../../files/files.service.js';
import { type Command, UsageError } from '../command.js';
import { momentIn, textIn } from '../values.js';

const FIXABLE: AuditFinding['kind'] = 'unnamed-file';

export const verify: Command = {
  name: 'verify',
  summary: 'Checks that records name only their own files, and that files have their bytes',
  example: 'nestjs-files verify --since 7d --json',
  options: {
    deep: { kind: 'flag', help: 'read all bytes, and compare their hashes' },
    'no-bytes': { kind: 'flag', help: 'look at the database alone' },
    since: { kind: 'text', value: 'AGE', help: 'only what was written since then, such as 7d or 2026-01-31' },
    fix: {
      kind: 'text',
      value: FIXABLE,
      help: 'unpin owned files that no record names, which their owners may then delete',
    },
    'dry-run': { kind: 'flag', help: 'with --fix: change nothing' },
  },
  async run({ app, options, out, signal }) {
    const fix = textIn(options, 'fix');
    if (fix !== undefined && fix !== FIXABLE)
      throw new UsageError(`--fix is "${fix}". Only "${FIXABLE}" has an answer that loses nothing.`);
    const since = momentIn(options, 'since');
    const audit = app.get(FilesAudit, { strict: false });
    const terms = { deep: options['deep'] === true, bytes: options['no-bytes'] !== true, ...(since && { since }) };
    let [found, fixed] = [0, 0];
    for await (const finding of audit.run(terms)) {
      if (signal.aborted) break;
      const isFixed = fix === finding.kind && finding.kind === FIXABLE && !finding.mayBeKept;
      if (isFixed && options['dry-run'] !== true) await app.get(FilesService, { strict: false }).unpin(finding.fileId);
      found++;
      if (isFixed) fixed++;
      await out.result({ ...finding, ...(isFixed && { fixed: options['dry-run'] !== true }) }, textOf(finding));
    }
    out.note(`${found} found${fix ? `, ${fixed} ${options['dry-run'] ? 'would be' : 'were'} unpinned` : ''}`);
    return found > (options['dry-run'] ? 0 : fixed) ? 1 : 0;
  },
};

function textOf({ kind, ...finding }: AuditFinding): string {
  const details = Object.entries(finding).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${kind}: ${details.join(', ')}`;
}
