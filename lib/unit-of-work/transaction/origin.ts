import type { Readable } from 'node:stream';

/** Where a statement of a transaction comes from: a scope, as the transaction sees it. */
export interface Origin {
  /** Throws `UnitEndedError` once it has ended. */
  assertActive(what: string): void;
  /** Counts a statement as running, until `endStatement()`. */
  beginStatement(): void;
  endStatement(): void;
  /** Counts a stream as running, until `closeStream()` or until its reader is done with it. */
  openStream(stream: Readable): void;
  closeStream(stream: Readable): void;
  /** Whether it is the other one, or nested in it. */
  isWithin(other: Origin): boolean;
  /** Whether the query runner's `transaction()` made it, or one around it. */
  isOpenedBy(runner: object): boolean;
}
