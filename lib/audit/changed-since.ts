import type { DataSource, EntityMetadata } from 'typeorm';
import type { Where } from './record-pages.js';
import { familyOf } from '../unit-of-work/typeorm/data-source.js';

// A date without a time is ambiguous.
const TYPES = new Set(['datetime', 'timestamp', 'timestamp without time zone', 'timestamp with time zone']);

// Columns may keep whole seconds only.
const ROUNDING = 1_000;

/**
 * That a row was written since then, by its `@UpdateDateColumn()`. Undefined where it has none, or one that cannot be
 * compared: then all rows have to be read. The database's own clock and time zone decide, which stamped the rows.
 */
export function changedSince(
  dataSource: DataSource,
  { updateDateColumn: column }: EntityMetadata,
  since: Date | undefined,
): Where | undefined {
  if (!since || !column || column.transformer || !TYPES.has(dataSource.driver.normalizeType(column))) return undefined;
  const name = dataSource.driver.escape(column.databaseName);
  return (bind) => `${name} >= ${momentOf(dataSource, since.getTime() - ROUNDING, bind)} OR ${name} IS NULL`;
}

function momentOf(dataSource: DataSource, at: number, bind: (value: unknown) => string): string {
  if (familyOf(dataSource) === 'sqlite') return bind(new Date(at).toISOString().slice(0, 19).replace('T', ' '));
  const age = Date.now() - at;
  if (familyOf(dataSource) !== 'postgres') return `NOW(6) - INTERVAL ${bind(age * 1_000)} MICROSECOND`;
  return `now() - CAST(${bind(age)} AS double precision) * interval '1 millisecond'`;
}
