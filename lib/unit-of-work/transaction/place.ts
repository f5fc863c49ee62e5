import type { Readable } from 'node:stream';

/** Where a statement of a transaction comes from: a scope, as the transaction sees it. */
export interface Place {
  /** Throws `UnitEndedError` once it has ended. */
  assertActive(what: string): void;
  /** Counts a statement as running, until `endStatement()`. */
  beginStatement(): void;
  endStatement(): void;
  /** Counts a stream as running, until `closeStream()` or until its reader is done with it. */
  openStream(stream: Readable): void;
  closeStream(stream: Readable): void;
  /** Whether it is the other place, or nested in it. */
  isWithin(other: Place): boolean;
  /** Whether the query runner's `transaction()` made it, or a place around it. */
  isOpenedBy(runner: object): boolean;
}
