import { LessThanOrEqual } from 'typeorm';
import type { ColumnOptions, EntityOptions, FindOperator, ValueTransformer } from 'typeorm';

/**
 * Makes every string of the table compare by its bytes on MySQL and MariaDB, instead of the server's default.
 * PostgreSQL and SQLite ignore it. It is an `engine` because a column's `collation` breaks PostgreSQL.
 */
export const BINARY_TABLE: EntityOptions = {
  engine: 'InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC',
};

// PostgreSQL and MariaDB answer 64-bit integers as strings.
const integer: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => (value === null || value === undefined ? value : Number(value)),
};

// Date columns lose hours to time zones on two of the three databases, so instants are stored as epoch milliseconds.
const instant: ValueTransformer = {
  to: (value: unknown) => (value instanceof Date ? value.getTime() : value),
  from: (value: unknown) => (value === null || value === undefined ? value : new Date(Number(value))),
};

export function text(length: number, options: ColumnOptions = {}): ColumnOptions {
  return { type: 'varchar', length, ...options };
}

/** The primary key: a UUID made by the library. */
export function id(): ColumnOptions & { nullable?: false } {
  return { type: 'uuid' };
}

export function uuid(options: ColumnOptions = {}): ColumnOptions {
  return { type: 'uuid', ...options };
}

/** A 64-bit integer, read as a number. */
export function int8(options: ColumnOptions = {}): ColumnOptions {
  return { type: 'bigint', transformer: integer, ...options };
}

/** An instant with milliseconds, read as a `Date`. Raw query builder parameters need `date.getTime()`. */
export function when(options: ColumnOptions = {}): ColumnOptions {
  return { type: 'bigint', transformer: instant, ...options };
}

/**
 * At the instant or before, for updates and deletions: TypeORM 0.3 does not pass the operands of operators to
 * transformers.
 */
export function notAfter(moment: Date): FindOperator<Date> {
  return LessThanOrEqual(moment.getTime()) as FindOperator<never>;
}

/** A boolean without a database default: set it in code. */
export function flag(options: ColumnOptions = {}): ColumnOptions {
  return { type: 'boolean', ...options };
}

export function data(options: ColumnOptions = {}): ColumnOptions {
  return { type: 'json', ...options };
}
