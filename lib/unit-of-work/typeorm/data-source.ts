import type { DataSource } from 'typeorm';

/** A manager, a query runner or a query builder: TypeORM 0.3 calls its data source its connection. */
export type Connected = { readonly dataSource: DataSource } | { readonly connection: DataSource };

/** The data source that belongs to it. */
export function dataSourceOf(connected: Connected): DataSource {
  return 'dataSource' in connected ? connected.dataSource : connected.connection;
}

/** The value that the library keeps with a data source under the key. */
export function keptWith<T>(dataSource: DataSource, key: symbol): T | undefined {
  return (dataSource as unknown as Record<symbol, unknown>)[key] as T | undefined;
}

/** Keeps a value with a data source, as long as that exists; undefined removes it. */
export function keepWith(dataSource: DataSource, key: symbol, value: object | undefined): void {
  Object.defineProperty(dataSource, key, { configurable: true, enumerable: false, writable: true, value });
}
