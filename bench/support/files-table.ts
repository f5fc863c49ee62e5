import type { DataSource } from 'typeorm';
import { Entity, Column, PrimaryColumn } from 'typeorm';
import { FileField, OwnsFiles } from '../../lib/index.js';

/** What files are attached to. */
@Entity('package')
@OwnsFiles('package')
export class Package {
  @PrimaryColumn('integer') id!: number;
  @Column('varchar', { length: 200 }) title!: string;
  @FileField() @Column('varchar', { length: 36, nullable: true }) attachmentId!: string | null;
  @FileField() @Column('json', { nullable: true }) fileIds!: string[] | null;
}

export const PACKAGES = 256;

/** The id of the n-th file. */
export function fileId(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

const ROW = (n: string, hex: string, owner: string, flag: string): string =>
  `SELECT ${hex} AS id, 'a.pdf', 'default', ${hex} AS location, ${hex} AS location_key, 'application/pdf', 1024, 'x', 'sha256', 1700000000000, 'user', ${owner}, ${flag} FROM ${n}`;

const COLUMNS =
  'id, name, storage, location, location_key, content_type, size, hash, hash_algorithm, created_at, owner_type, owner_id, pinned';

/**
 * Empties the tables and fills them with so many files; `owners` of them take turns, or all belong to the user `ada`.
 */
export async function fillTables(source: DataSource, files: number, owners?: number): Promise<void> {
  for (const table of ['files_transfer', 'files_file', 'package']) await empty(source, table);
  const owner = (n: string): string => {
    if (owners === undefined) return `'ada'`;
    return isMysql(source) ? `CONCAT('u', ${n} % ${owners})` : `'u' || (${n} % ${owners})`;
  };
  await source.query(`INSERT INTO files_file (${COLUMNS}) ${rows(source, files, owner)}`);
  const ids = Array.from({ length: PACKAGES }, (_, id) => ({
    id: id + 1,
    title: 'before',
    attachmentId: null,
    fileIds: null,
  }));
  await source.getRepository(Package).insert(ids);
  if (source.options.type === 'postgres') await source.query('VACUUM ANALYZE files_file, package');
}

function isMysql(source: DataSource): boolean {
  return source.options.type === 'mariadb';
}

async function empty(source: DataSource, table: string): Promise<void> {
  await source.query(source.options.type === 'better-sqlite3' ? `DELETE FROM ${table}` : `TRUNCATE TABLE ${table}`);
}

function rows(source: DataSource, files: number, owner: (n: string) => string): string {
  const prefix = '00000000-0000-7000-8000-';
  switch (source.options.type) {
    case 'postgres': {
      const hex = `('${prefix}' || lpad(to_hex(n), 12, '0'))`;
      return ROW(`generate_series(0, ${files - 1}) AS n`, hex, owner('n'), 'false').replace(
        `${hex} AS id`,
        `${hex}::uuid`,
      );
    }
    case 'mariadb':
      return ROW(`seq_0_to_${files - 1}`, `CONCAT('${prefix}', LPAD(LOWER(HEX(seq)), 12, '0'))`, owner('seq'), '0');
    default: {
      const series = `(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < ${files - 1}) SELECT n FROM s)`;
      return ROW(series, `printf('${prefix}%012x', n)`, owner('n'), '0');
    }
  }
}
