import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { DataSource } from 'typeorm';
import { FileField, OwnsFiles } from '../../lib/index.js';

/** A record with one file and a list of four. */
@Entity('dossier')
@OwnsFiles('dossier')
export class Dossier {
  @PrimaryColumn('int') id!: number;
  @FileField() @Column('uuid', { nullable: true }) coverId!: string | null;
  @FileField() @Column('json', { nullable: true }) pageIds!: string[] | null;
}

const PREFIX = '00000000-0000-7000-8000-';
const COLUMNS =
  'id, name, storage, location, location_key, content_type, size, hash, hash_algorithm, created_at, owner_type, owner_id, pinned';

interface Words {
  /** The numbers from 0 to below the count, as `n`. */
  readonly series: (count: number) => string;
  readonly id: (n: string) => string;
  readonly text: (n: string) => string;
  readonly list: (...ids: string[]) => string;
  readonly location: string;
  readonly yes: string;
}

const WORDS: Record<string, Words> = {
  postgres: {
    series: (count) => `generate_series(0, ${count - 1}) AS n`,
    id: (n) => `('${PREFIX}' || lpad(to_hex(${n}), 12, '0'))::uuid`,
    text: (n) => `(${n})::text`,
    list: (...ids) => `json_build_array(${ids.join(', ')})`,
    location: `(n / 1000) || '/' || n`,
    yes: 'true',
  },
  mariadb: {
    series: (count) => `(SELECT seq AS n FROM seq_0_to_${count - 1}) AS s`,
    id: (n) => `CONCAT('${PREFIX}', LPAD(LOWER(HEX(${n})), 12, '0'))`,
    text: (n) => `CAST(${n} AS char)`,
    list: (...ids) => `JSON_ARRAY(${ids.join(', ')})`,
    location: `CONCAT(n DIV 1000, '/', n)`,
    yes: '1',
  },
  'better-sqlite3': {
    series: (count) =>
      `(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < ${count - 1}) SELECT n FROM s)`,
    id: (n) => `printf('${PREFIX}%012x', ${n})`,
    text: (n) => `CAST(${n} AS text)`,
    list: (...ids) => `json_array(${ids.join(', ')})`,
    location: `(n / 1000) || '/' || n`,
    yes: '1',
  },
};

/** So many records and five times as many files, which the records name and own, pinned. */
export async function fillDossiers(source: DataSource, records: number): Promise<void> {
  const { type } = source.options;
  const { series, id, text, list, location, yes } = WORDS[type] as Words;
  const owner = type === 'mariadb' ? 'n DIV 5' : 'n / 5';
  const quote = (name: string) => source.driver.escape(name);
  await source.query(
    `INSERT INTO files_file (${COLUMNS}) SELECT ${id('n')}, 'a.pdf', 'default', ${location}, ${location}, 'application/pdf', 0, 'x', 'sha256', ` +
      `1700000000000, 'dossier', ${text(owner)}, ${yes} FROM ${series(records * 5)}`,
  );
  await source.query(
    `INSERT INTO dossier (id, ${quote('coverId')}, ${quote('pageIds')}) ` +
      `SELECT n, ${id('n * 5')}, ${list(...[1, 2, 3, 4].map((at) => id(`(n * 5 + ${at})`)))} FROM ${series(records)}`,
  );
  if (type === 'postgres') await source.query('VACUUM ANALYZE files_file, dossier');
}
