import type { DataSource, EntityMetadata } from 'typeorm';
import type { Where } from './record-pages.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';

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
  const dialect = dialectOf(dataSource);
  return (bind) => `${name} >= ${dialect.moment(since.getTime() - ROUNDING, bind)} OR ${name} IS NULL`;
}
