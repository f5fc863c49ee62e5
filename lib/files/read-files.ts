import type { DataSource, EntityMetadata, SelectQueryBuilder } from 'typeorm';
import { keepWith, keptWith } from '../unit-of-work/typeorm/data-source.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { ManagedFile } from './managed-file.entity.js';

const FIND = Symbol('nestjs-files:find-file');

type Find = (id: string) => Promise<ManagedFile | null>;
type Row = Record<string, unknown>;

/**
 * The file with this id. Each download reads one row, and a query builder takes longer to write the statement than the database to run it; so
 * the text is written once for the data source. An application that listens to loaded entities gets them as always.
 */
export async function findFile(dataSource: DataSource, id: string): Promise<ManagedFile | null> {
  if (isHeard(dataSource)) return dataSource.getRepository(ManagedFile).findOneBy({ id });
  const kept = keptWith<Find>(dataSource, FIND);
  if (kept) return kept(id);
  const find = finderOf(dataSource);
  keepWith(dataSource, FIND, find);
  return find(id);
}

/**
 * The files of a query, whose alias is `file`. TypeORM's way from rows to entities is made for joined tables, and takes several times as long. An
 * application that listens to loaded entities gets them as always.
 */
export async function readFiles(
  dataSource: DataSource,
  query: SelectQueryBuilder<ManagedFile>,
): Promise<ManagedFile[]> {
  if (isHeard(dataSource)) return query.getMany();
  const { columns } = dataSource.getMetadata(ManagedFile);
  query.select([]);
  for (const { propertyName } of columns) query.addSelect(`file.${propertyName}`, propertyName);
  const rows = await query.getRawMany<Row>();
  return rows.map((row) => fileOf(dataSource, columns, row));
}

function isHeard({ subscribers }: DataSource): boolean {
  return subscribers.some((subscriber) => subscriber.afterLoad !== undefined);
}

function finderOf(dataSource: DataSource): Find {
  const { driver } = dataSource;
  const { columns } = dataSource.getMetadata(ManagedFile);
  const { table, column } = tableNames<ManagedFile>(dataSource, ManagedFile);
  const named = columns.map(({ propertyName }) => {
    return `${column(propertyName as keyof ManagedFile)} AS ${driver.escape(propertyName)}`;
  });
  const sql = `SELECT ${named.join(', ')} FROM ${table} WHERE ${column('id')} = ${driver.createParameter('id', 0)}`;
  return async (id) => {
    const [row] = await dataSource.query<Row[]>(sql, [id]);
    return row === undefined ? null : fileOf(dataSource, columns, row);
  };
}

/** The file of a row whose columns have the names of the fields. */
function fileOf({ driver }: DataSource, columns: EntityMetadata['columns'], row: Row): ManagedFile {
  const file = new ManagedFile() as unknown as Row;
  for (const column of columns)
    file[column.propertyName] = driver.prepareHydratedValue(row[column.propertyName], column);
  return file as unknown as ManagedFile;
}
