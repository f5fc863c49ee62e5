import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { dialectOf } from '../dialects/dialect-of.js';

type ReplicatedOptions = DataSourceOptions & { readonly replication?: { readonly master: object } };

/**
 * Another data source on the master database, with one connection outside of the pool, so that callers that hold the
 * whole pool do not wait for it.
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
    // A size that is set here would override `poolSize`.
    extra: {
      ...(options.extra as object | undefined),
      [dialectOf(dataSource).poolSizeOption]: 1,
    },
  };
  return new DataSource({ ...options, ...own } as DataSourceOptions).initialize();
}
