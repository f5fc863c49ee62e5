import type { DataSource } from 'typeorm';
import { ManagedFile } from '../files/managed-file.entity.js';

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

export async function filesByStorage(dataSource: DataSource): Promise<Map<string, Totals>> {
  const groups = await groupsOf(dataSource, ['storage']);
  return new Map(groups.map(({ by, files, bytes }) => [by['storage'] ?? '', { files, bytes }]));
}
