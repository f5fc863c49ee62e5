import type { EntityManager } from 'typeorm';

/** Databases that speak one dialect, by whichever driver. */
export type DatabaseFamily = 'postgres' | 'mysql' | 'sqlite' | 'other';

/** Adds a value to the parameters of a statement and returns its placeholder. */
export type Bind = (value: unknown) => string;

/** What any room may ask about a database: facts, and pieces of SQL. Names in SQL are given in quotes. */
export interface SqlDialect {
  readonly family: DatabaseFamily;

  /** Whether one transaction writes at a time, so that rows cannot be locked and need not be. */
  readonly hasOneWriter: boolean;
  /** Whether the server has locks beside those of rows and tables. */
  readonly hasNamedLocks: boolean;
  /** Whether a locking read sees the latest commits, even those that the transaction's snapshot hides from others. */
  readonly locksLatest: boolean;
  /** Whether a search with locks also locks, for a moment, rows that it only looks at. */
  readonly locksNeighbours: boolean;
  /** The end of a SELECT that locks its rows until the transaction ends, because they may be changed. */
  readonly forUpdate: string;
  /** The end of a SELECT that takes shared locks, where the one that TypeORM writes is not understood. */
  readonly forShare: string | undefined;
  /** TypeORM's name for the weakest lock that keeps others from removing rows, or changing their keys. */
  readonly keyShareLock: 'for_key_share' | 'pessimistic_read';
  /** Whether the server of this version knows `SKIP LOCKED`. */
  skipsLocked(version: string | undefined): boolean;
  /** Whether the transaction that the manager is in may have a snapshot that hides what others have committed since. */
  hasSnapshot(manager: EntityManager): Promise<boolean>;

  /** Whether a comparison with a value of another type is an error. */
  readonly isStrict: boolean;
  /** Whether texts are equal only if they are the same, in a column without a collation of its own. */
  readonly comparesExactly: boolean;
  /** Whether an index serves comparisons of rows, as in `(a, b) > (1, 2)`. */
  readonly indexesRowValues: boolean;
  /** Whether a unique constraint is only an index. */
  readonly uniquesAreIndexes: boolean;
  /** The driver's option for the size of its pool. */
  readonly poolSizeOption: string;

  /** The expression as a value of the type, where it would be a text. */
  typed(sql: string, type: string): string;
  /** A column as TypeORM selects it, where it is stored in a form of the database's own. */
  selected(column: string, type: string): string;
  /** The conversion of a column to a text, if the driver would return another value, which may be rounded. */
  exactText(column: string, type: string): string | undefined;
  /** That the column is one of these values: one parameter, so that the text does not depend on their number. */
  isOneOf(column: string, type: string, values: readonly string[], bind: Bind): string;
  /**
   * A moment to compare with dates that the database's own clock stamped, in its own time zone; an hour earlier where
   * that may have changed to summer time since.
   */
  moment(milliseconds: number, bind: Bind): string;
  /** The month, as in `2026-11`, of a moment in milliseconds, in UTC, whatever the time zone of the session is. */
  month(milliseconds: string): string;
  /** The end of an INSERT that adds these values to columns of the row that has the key already. */
  orAdd(table: string, key: readonly string[], added: Readonly<Record<string, string>>): string;
}
