import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';

/** The quoted names of a table and its columns, as the application's naming strategy and prefix made them. */
export interface TableNames<Entity> {
  readonly table: string;
  readonly column: (property: keyof Entity & string) => string;
}

/** The path of a table in SQL: each of its parts in quotes. */
export function quoted({ driver }: DataSource, path: string): string {
  return path
    .split('.')
    .map((part) => driver.escape(part))
    .join('.');
}

/** The quoted names of an entity's table and columns. */
export function tableNames<Entity extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityTarget<Entity>,
): TableNames<Entity> {
  const metadata = dataSource.getMetadata(entity);
  const quote = (name: string): string => dataSource.driver.escape(name);
  const columns = new Map(
    metadata.columns.map(({ propertyName, databaseName }) => [propertyName, quote(databaseName)]),
  );
  return {
    table: quoted(dataSource, metadata.tablePath),
    column: (property) => columns.get(property) ?? quote(property),
  };
}
