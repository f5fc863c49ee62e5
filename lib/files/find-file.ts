import type { DataSource } from 'typeorm';
import { keepWith, keptWith } from '../unit-of-work/typeorm/data-source.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { ManagedFile } from './managed-file.entity.js';

const FIND = Symbol('nestjs-files:find-file');

type Find = (id: string) => Promise<ManagedFile | null>;

/**
 * The file with this id. Each download reads one row, and a query builder takes longer to write the statement than the database to run it; so
 * the text is written once for the data source. An application that listens to loaded entities gets them as always.
 */
export async function findFile(dataSource: DataSource, id: string): Promise<ManagedFile | null> {
  if (dataSource.subscribers.some((subscriber) => subscriber.afterLoad !== undefined))
    return dataSource.getRepository(ManagedFile).findOneBy({ id });
  const kept = keptWith<Find>(dataSource, FIND);
  if (kept) return kept(id);
  const find = finderOf(dataSource);
  keepWith(dataSource, FIND, find);
  return find(id);
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
    const [row] = await dataSource.query<Record<string, unknown>[]>(sql, [id]);
    if (row === undefined) return null;
    const file = new ManagedFile() as unknown as Record<string, unknown>;
    for (const one of columns) file[one.propertyName] = driver.prepareHydratedValue(row[one.propertyName], one);
    return file as unknown as ManagedFile;
  };
}
