import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { entityOfRow, filesNamedBy } from '../ownership/guard/guarded-entities.js';
import type { GuardedEntity, GuardedField, NamedFiles } from '../ownership/guard/guarded-entities.js';
import { selected } from '../ownership/guard/record-rows.js';
import { ownerIdOf } from '../files/owner-reference.js';
import type { OwnerColumn } from '../ownership/owner-entities.js';
import type { AuditedTable } from './audited-tables.js';
import { query } from './sql.js';
import type { Bind } from '../unit-of-work/dialects/sql-dialect.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import { quoted } from '../unit-of-work/typeorm/table-names.js';

/** The values of a primary key, as the database takes them again. */
export type Position = readonly unknown[];

/** A row of a guarded class. */
export interface AuditedRow {
  readonly entity: GuardedEntity;
  readonly position: Position;
  /** The primary key, by property. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly ownerId: string | undefined;
  readonly values: ReadonlyMap<GuardedField, NamedFiles>;
}

/** A condition in SQL. */
export type Where = (bind: Bind) => string;

export const ROWS_PER_PAGE = 500;

const PLACE = 'nestjs_files_place_';

/**
 * The next rows after a position, soft-removed ones too, in the order of the primary key; the first ones of all without
 * a position.
 */
export function nextRows(
  manager: EntityManager,
  table: AuditedTable,
  after: Position | undefined,
  where?: Where,
): Promise<AuditedRow[]> {
  return select(manager, table, (bind) => {
    const conditions = [after && isAfter(dataSourceOf(manager), table, after, bind), where?.(bind)];
    const all = conditions.flatMap((condition) => (condition === undefined ? [] : `(${condition})`)).join(' AND ');
    const order = keyNames(dataSourceOf(manager), table).join(', ');
    return `${all === '' ? '' : ` WHERE ${all}`} ORDER BY ${order} LIMIT ${ROWS_PER_PAGE}`;
  });
}

/** The rows at these positions, without deleted ones. */
export function rowsAt(
  manager: EntityManager,
  table: AuditedTable,
  positions: readonly Position[],
): Promise<AuditedRow[]> {
  const names = keyNames(dataSourceOf(manager), table);
  const isAt = (position: Position, bind: Bind): string =>
    names.map((name, index) => `${name} = ${bind(position[index])}`).join(' AND ');
  return select(manager, table, (bind) => {
    const [name] = names;
    if (names.length === 1) return ` WHERE ${name} IN (${positions.map(([value]) => bind(value)).join(', ')})`;
    return ` WHERE ${positions.map((position) => `(${isAt(position, bind)})`).join(' OR ')}`;
  });
}

async function select(manager: EntityManager, table: AuditedTable, tail: Where): Promise<AuditedRow[]> {
  const dataSource = dataSourceOf(manager);
  const { metadata } = table.root;
  const columns = [
    ...table.columns.map((column) => selected(dataSource, column)),
    ...metadata.primaryColumns.flatMap((column, index) => {
      const text = asText(dataSource, column);
      return text === undefined ? [] : `${text} AS ${dataSource.driver.escape(`${PLACE}${index}`)}`;
    }),
  ];
  const from = `SELECT ${columns.join(', ')} FROM ${quoted(dataSource, metadata.tablePath)}`;
  const rows = await query(manager, (bind) => from + tail(bind));
  return rows.map((row) => toRow(dataSource, table, row));
}

/** The conversion of the key to a text, if the driver would return another value, which may be rounded. */
function asText(dataSource: DataSource, column: OwnerColumn): string | undefined {
  const { driver } = dataSource;
  return dialectOf(dataSource).exactText(driver.escape(column.databaseName), driver.normalizeType(column));
}

function keyNames(dataSource: DataSource, { root }: AuditedTable): string[] {
  return root.metadata.primaryColumns.map(({ databaseName }) => dataSource.driver.escape(databaseName));
}

function isAfter(dataSource: DataSource, table: AuditedTable, after: Position, bind: Bind): string {
  const names = keyNames(dataSource, table);
  if (dialectOf(dataSource).indexesRowValues) return `(${names.join(', ')}) > (${after.map(bind).join(', ')})`;
  // The written-out condition uses several ranges of an index.
  const ways = names.map((name, index) => {
    const same = names.slice(0, index).map((earlier, at) => `${earlier} = ${bind(after[at])}`);
    return [...same, `${name} > ${bind(after[index])}`].join(' AND ');
  });
  return ways.map((way) => `(${way})`).join(' OR ');
}

function toRow(dataSource: DataSource, table: AuditedTable, row: ObjectLiteral): AuditedRow {
  const { driver } = dataSource;
  const entity = entityOfRow(table.root, row);
  const { primaryColumns } = table.root.metadata;
  const raw = ({ databaseName }: OwnerColumn): unknown => row[databaseName];
  const hydrated = (column: OwnerColumn): unknown => driver.prepareHydratedValue(raw(column), column);
  return {
    entity,
    position: primaryColumns.map((column, index): unknown => row[`${PLACE}${index}`] ?? raw(column)),
    key: Object.fromEntries(primaryColumns.map((column) => [column.propertyPath, plain(hydrated(column))])),
    ownerId: ownerIdOf(hydrated(entity.idColumn)),
    values: new Map(entity.fields.map((field) => [field, namedFiles(dataSource, field, raw(field.column))])),
  };
}

// TypeORM may be unable to read a value that was written past it.
function namedFiles(dataSource: DataSource, field: GuardedField, raw: unknown): NamedFiles {
  if (raw === null || raw === undefined) return { ids: [], junk: [] };
  let value: unknown;
  try {
    value = dataSource.driver.prepareHydratedValue(raw, field.column);
  } catch {
    return { ids: [], junk: [raw] };
  }
  return filesNamedBy(dataSource, field, value);
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
