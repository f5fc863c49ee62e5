import type { QueryRunner } from 'typeorm';

/**
 * The state that TypeORM keeps in a query runner while it changes the schema: the SQL that undoes it, and tables as
 * they were read. If several query runners shared it, one could undo the changes of another, or restore an outdated
 * table.
 */
export const SCHEMA_CACHES: ReadonlySet<PropertyKey> = new Set([
  'cachedTablePaths',
  'loadedTables',
  'loadedViews',
  'sqlInMemory',
]);

/** An empty cache of the same kind as this one of the query runner. */
export function emptyCache(runner: QueryRunner, cache: PropertyKey): object {
  const { constructor } = Reflect.get(runner, cache) as object;
  return new (constructor as new () => object)();
}
