/**
 * The place of a storage's mark, which tells it from another place, such as a directory in which nothing is mounted.
 */
export interface MarkPlace {
  /** For messages: a path, or an address. */
  readonly place: string;
  /** The place without symbolic links, by which two places can be compared. @default `place` */
  resolved?(): Promise<string>;
  /**
   * The mark; `undefined` if it, or the place itself, is missing. Called before each removal, and before each write
   * that `trustedFor` does not cover, so it must be cheap.
   */
  read(): Promise<string | undefined>;
  /** Writes the mark if there is none. `false` if there is one, also for the losers of a race. */
  create(mark: string): Promise<boolean>;
  /**
   * Milliseconds for which a mark that was found counts for writes, where reading it is a request. Removals always read
   * it.
   * @default 0
   */
  readonly trustedFor?: number;
  /** Replaces the existing mark. */
  replace(mark: string): Promise<void>;
}
