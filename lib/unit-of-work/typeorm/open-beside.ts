import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { familyOf } from './data-source.js';

type ReplicatedOptions = DataSourceOptions & { readonly replication?: { readonly master: object } };

/**
 * Another data source on the database, the master's, with one connection that is not of the pool: whoever holds all of those does not
 * wait for this one.
 */
export function openBeside(
  dataSource: DataSource,
  entities: NonNullable<DataSourceOptions['entities']>,
): Promise<DataSource> {
  const { replication, ...options } = dataSource.options as ReplicatedOptions;
  const own = {
    ...replication?.master,
    entities,
    subscribers: [],
    migrations: [],
    synchronize: false,
    migrationsRun: false,
    dropSchema: false,
    cache: false,
    poolSize: 1,
    // What is said here would count more than `poolSize`.
    extra: {
      ...(options.extra as object | undefined),
      ...(familyOf(dataSource) === 'postgres' ? { max: 1 } : { connectionLimit: 1 }),
    },
  };
  return new DataSource({ ...options, ...own } as DataSourceOptions).initialize();
}
