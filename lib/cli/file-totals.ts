import type { DataSource } from 'typeorm';
import { ManagedFile } from '../files/managed-file.entity.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';

/** How many files, and how many bytes they have. */
export interface Totals {
  readonly files: number;
  readonly bytes: number;
}

/** A group of files: what they have in common, by the names of the columns. */
export interface Group extends Totals {
  readonly by: Readonly<Record<string, string | null>>;
}

type GroupColumn = 'storage' | 'ownerType' | 'ownerId' | 'contentType';

/** One statement: the groups with the most bytes first. */
export async function groupsOf(
  dataSource: DataSource,
  columns: readonly GroupColumn[],
  limit?: number,
): Promise<Group[]> {
  const query = dataSource
    .getRepository(ManagedFile)
    .createQueryBuilder('file')
    .select('COUNT(*)', 'files')
    .addSelect('SUM(file.size)', 'bytes');
  for (const column of columns) query.addSelect(`file.${column}`, column).addGroupBy(`file.${column}`);
  query.orderBy('SUM(file.size)', 'DESC');
  if (limit !== undefined) query.limit(limit);
  const rows = await query.getRawMany<Record<string, string | number | null>>();
  return rows.map((row) => ({
    by: Object.fromEntries(columns.map((column) => [column, row[column] as string | null])),
    files: Number(row['files']),
    bytes: Number(row['bytes'] ?? 0),
  }));
}

/** The files that came in a month and are still there, and all files that were there at its end. */
export interface Month extends Totals {
  /** As in `2026-11`, in UTC. */
  readonly month: string;
  readonly totalFiles: number;
  readonly totalBytes: number;
}

/** One statement: all months from the first file to the last, also those in which none came. */
export async function monthsOf(dataSource: DataSource): Promise<Month[]> {
  const { table, column } = tableNames<ManagedFile>(dataSource, ManagedFile);
  const month = dialectOf(dataSource).month(column('createdAt'));
  const rows = await dataSource.query<Record<'month' | 'files' | 'bytes', string | number>[]>(
    `SELECT ${month} AS month, COUNT(*) AS files, SUM(${column('size')}) AS bytes FROM ${table} GROUP BY ${month} ORDER BY ${month}`,
  );
  const added = new Map(
    rows.map((row) => [String(row.month), { files: Number(row.files), bytes: Number(row.bytes) }] as const),
  );
  const [first, last] = [[...added.keys()].at(0), [...added.keys()].at(-1)];
  const months: Month[] = [];
  let [totalFiles, totalBytes] = [0, 0];
  for (let name = first; name !== undefined && last !== undefined && name <= last; name = monthAfter(name)) {
    const { files, bytes } = added.get(name) ?? { files: 0, bytes: 0 };
    [totalFiles, totalBytes] = [totalFiles + files, totalBytes + bytes];
    months.push({ month: name, files, bytes, totalFiles, totalBytes });
  }
  return months;
}

function monthAfter(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number)).toISOString().slice(0, 7);
}

export async function filesByStorage(dataSource: DataSource): Promise<Map<string, Totals>> {
  const groups = await groupsOf(dataSource, ['storage']);
  return new Map(groups.map(({ by, files, bytes }) => [by['storage'] ?? '', { files, bytes }]));
}
