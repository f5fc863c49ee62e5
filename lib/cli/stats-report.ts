import { barsOf, columnsOf, escaped } from './charts.js';
import type { Datum } from './charts.js';
import type { Group, Month, Totals } from './file-totals.js';
import { sizeText } from './output.js';

/** What is known of the files of an application. */
export interface Statistics {
  readonly at: Date;
  readonly storages: readonly Group[];
  readonly ownerTypes: readonly Group[];
  readonly contentTypes: readonly Group[];
  readonly owners: readonly Group[];
  readonly months: readonly Month[];
}

const MOST_BARS = 12;

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5d6671; --line: #d8dde3; --page: #fff; --bar: #2f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #343b44; --page: #14171b; --bar: #6ea0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.1rem; }
p { margin: 0.25rem 0; color: var(--soft); }
dl { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1.5rem 0 0; }
dt { color: var(--soft); font-size: 0.875rem; }
dd { margin: 0; font-size: 1.6rem; font-weight: 600; }
rect { fill: var(--bar); }
.columns { display: block; width: 100%; height: auto; }
.columns line { stroke: var(--line); }
.columns text { fill: var(--soft); font-size: 12px; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th { width: 34%; padding: 0.2rem 1rem 0.2rem 0; overflow: hidden; text-align: left; text-overflow: ellipsis; font-weight: 400; white-space: nowrap; }
td { padding: 0.2rem 0; }
.number { width: 30%; padding-left: 1rem; color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bars svg { display: block; width: 100%; height: 0.9rem; }
@media (max-width: 34rem) { th { width: 30%; } .number { width: 42%; padding-left: 0.5rem; font-size: 0.8rem; } .columns text { font-size: 18px; } }
@media print { body { max-width: none; } }
`;

/** An HTML page with charts. It loads nothing, so it opens anywhere. */
export function reportOf(statistics: Statistics): string {
  const { at, months } = statistics;
  const { files, bytes } = totalOf(statistics.storages);
  const tiles = [
    ['Files', String(files)],
    ['Bytes', sizeText(bytes)],
    ['Storages', String(statistics.storages.length)],
    ['Average file', sizeText(files === 0 ? 0 : Math.round(bytes / files))],
  ];
  const total = months.map((month) => datumOf(month.month, { files: month.totalFiles, bytes: month.totalBytes }));
  const added = months.map((month) => datumOf(month.month, month));
  const sections = [
    section(
      'Growth',
      columnsOf(total, 'Bytes of all files at the end of each month'),
      'Bytes of the present files, by the month in which they came.',
    ),
    section('Added each month', columnsOf(added, 'Bytes that came in each month')),
    section('By storage', barsOf(dataOf(statistics.storages), 'Bytes by storage')),
    section('By type of owner', barsOf(dataOf(statistics.ownerTypes), 'Bytes by type of owner')),
    section('By content type', barsOf(dataOf(statistics.contentTypes), 'Bytes by content type')),
    section('Biggest owners', barsOf(dataOf(statistics.owners), 'Bytes by owner')),
  ];
  return (
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Files, ${day(at)}</title>\n` +
    `<style>${STYLE}</style>\n</head>\n<body>\n<h1>Files</h1>\n<p>${escaped(at.toISOString())}</p>\n` +
    `<dl>${tiles.map(([name = '', value = '']) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>\n` +
    `${sections.join('\n')}\n</body>\n</html>\n`
  );
}

/** What the groups have in common, as one text. */
export function nameOf({ by }: Group): string {
  const values = Object.values(by).filter((value) => value !== null);
  return values.length === 0 ? '(no owner)' : values.join(':');
}

function section(title: string, chart: string, about?: string): string {
  return `<section>\n<h2>${title}</h2>\n${about === undefined ? '' : `<p>${about}</p>\n`}${chart}\n</section>`;
}

function totalOf(groups: readonly Totals[]): Totals {
  const sum = (key: keyof Totals) => groups.reduce((total, group) => total + group[key], 0);
  return { files: sum('files'), bytes: sum('bytes') };
}

function dataOf(groups: readonly Group[]): Datum[] {
  const shown = groups.slice(0, MOST_BARS).map((group) => datumOf(nameOf(group), group));
  const others = groups.slice(MOST_BARS);
  return others.length === 0 ? shown : [...shown, datumOf(`${others.length} others`, totalOf(others))];
}

function datumOf(name: string, { files, bytes }: Totals): Datum {
  return { name, value: bytes, note: `${sizeText(bytes)}, ${files} ${files === 1 ? 'file' : 'files'}` };
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}
