import { writeFile } from 'node:fs/promises';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, UsageError } from '../command.js';
import { groupsOf, monthsOf } from '../file-totals.js';
import type { Group } from '../file-totals.js';
import { columns, sizeText } from '../output.js';
import type { Output } from '../output.js';
import { nameOf, reportOf } from '../stats-report.js';
import type { Statistics } from '../stats-report.js';
import { countIn, textIn } from '../values.js';

export const stats: Command = {
  name: 'stats',
  summary:
    'Counts files and bytes by storage, by type of owner, by content type and by month, and names the biggest owners',
  example: 'nestjs-files stats --owners 20 --html report.html',
  options: {
    owners: { kind: 'count', help: 'how many of the biggest owners to name (10)' },
    html: {
      kind: 'text',
      value: 'FILE',
      help: 'also write a page with charts; it opens in any browser, without a network',
    },
  },
  async run({ app, options, out }) {
    const { dataSource } = app.get(Transactor, { strict: false });
    const statistics: Statistics = {
      at: new Date(),
      storages: await groupsOf(dataSource, ['storage']),
      ownerTypes: await groupsOf(dataSource, ['ownerType']),
      contentTypes: await groupsOf(dataSource, ['contentType']),
      owners: await groupsOf(dataSource, ['ownerType', 'ownerId'], countIn(options, 'owners') ?? 10),
      months: await monthsOf(dataSource),
    };
    const html = textIn(options, 'html');
    if (html !== undefined) await save(html, reportOf(statistics));
    await tell(out, statistics);
    return 0;
  },
};

async function save(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (cause) {
    throw new UsageError(`--html: ${(cause as Error).message}`, { cause });
  }
}

const PARTS = [
  ['storage', 'storages', 'storage'],
  ['ownerType', 'ownerTypes', 'type of owner'],
  ['contentType', 'contentTypes', 'content type'],
  ['owner', 'owners', 'owner'],
] as const;

async function tell(out: Output, statistics: Statistics): Promise<void> {
  for (const [name, key, title] of PARTS) {
    const groups: readonly Group[] = statistics[key];
    const lines = columns(groups.map((group) => [nameOf(group), `${group.files} files`, sizeText(group.bytes)]));
    for (const [at, { by, files, bytes }] of groups.entries()) {
      await out.result({ group: name, ...by, files, bytes }, titled(at, `By ${title}:`, lines[at]));
    }
  }
  const lines = columns(
    statistics.months.map(({ month, files, bytes, totalBytes }) => {
      return [month, `${files} files`, sizeText(bytes), `${sizeText(totalBytes)} in all`];
    }),
  );
  for (const [at, month] of statistics.months.entries())
    await out.result({ group: 'month', ...month }, titled(at, 'By month:', lines[at]));
}

function titled(at: number, title: string, line = ''): string {
  return `${at === 0 ? `${title}\n` : ''}  ${line}`;
}
