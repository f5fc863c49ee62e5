/** The place of a storage's mark, which tells it from another place, such as a directory in which nothing is mounted. */
export interface MarkPlace {
  /** For messages: a path, or an address. */
  readonly place: string;
  /** The mark; `undefined` if it, or the place itself, is missing. Called before each write and removal, so it must be cheap. */
  read(): Promise<string | undefined>;
  /** Writes the mark if there is none. `false` if there is one, also for the losers of a race. */
  create(mark: string): Promise<boolean>;
  /** Replaces the existing mark. */
  replace(mark: string): Promise<void>;
}
