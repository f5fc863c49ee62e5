import type { DataSource } from 'typeorm';

/** A manager, a query runner or a query builder: TypeORM 0.3 calls its data source its connection. */
export type Connected = { readonly dataSource: DataSource } | { readonly connection: DataSource };

/** The data source that belongs to it. */
export function dataSourceOf(connected: Connected): DataSource {
  return 'dataSource' in connected ? connected.dataSource : connected.connection;
}
