import type { DataSource, EntityMetadata, SelectQueryBuilder } from 'typeorm';
import { keepWith, keptWith } from '../unit-of-work/typeorm/data-source.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { ManagedFile } from './managed-file.entity.js';

const READER = Symbol('nestjs-files:file-reader');

type Row = Record<string, unknown>;

/**
 * Statements that are built once for a data source: a query builder takes longer to build one than the database takes
 * to run it.
 */
interface Reader {
  /** Selects the columns of `file` by the names of the fields. */
  readonly selection: string;
  /** Finds one file. */
  readonly one: string;
  readonly columns: EntityMetadata['columns'];
}

/** The file with this id. An application that listens to loaded entities gets them as always. */
export async function findFile(dataSource: DataSource, id: string): Promise<ManagedFile | null> {
  if (isHeard(dataSource)) return dataSource.getRepository(ManagedFile).findOneBy({ id });
  const [row] = await dataSource.query<Row[]>(readerOf(dataSource).one, [id]);
  return row === undefined ? null : fileOf(dataSource, row);
}

/**
 * The files of a query, whose alias is `file`. TypeORM's way from rows to entities is made for joined tables, and takes
 * several times as long. An application that listens to loaded entities gets them as always.
 */
export async function readFiles(
  dataSource: DataSource,
  query: SelectQueryBuilder<ManagedFile>,
): Promise<ManagedFile[]> {
  if (isHeard(dataSource)) return query.getMany();
  const rows = await query.select(readerOf(dataSource).selection).getRawMany<Row>();
  return rows.map((row) => fileOf(dataSource, row));
}

function isHeard({ subscribers }: DataSource): boolean {
  return subscribers.some((subscriber) => subscriber.afterLoad !== undefined);
}

function readerOf(dataSource: DataSource): Reader {
  const kept = keptWith<Reader>(dataSource, READER);
  if (kept) return kept;
  const { driver } = dataSource;
  const { table, column } = tableNames<ManagedFile>(dataSource, ManagedFile);
  const alias = driver.escape('file');
  const { columns } = dataSource.getMetadata(ManagedFile);
  const named = columns.map(({ propertyName }) => {
    return `${alias}.${column(propertyName as keyof ManagedFile)} AS ${driver.escape(propertyName)}`;
  });
  const selection = named.join(', ');
  const one = `SELECT ${selection} FROM ${table} ${alias} WHERE ${alias}.${column('id')} = ${driver.createParameter('id', 0)}`;
  const reader = { selection, one, columns };
  keepWith(dataSource, READER, reader);
  return reader;
}

/** The file of a row whose columns have the names of the fields. */
function fileOf(dataSource: DataSource, row: Row): ManagedFile {
  const { driver } = dataSource;
  const file = new ManagedFile() as unknown as Row;
  for (const column of readerOf(dataSource).columns)
    file[column.propertyName] = driver.prepareHydratedValue(row[column.propertyName], column);
  return file as unknown as ManagedFile;
}
