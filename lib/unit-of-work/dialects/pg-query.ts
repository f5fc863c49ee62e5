/** What a query of `pg` writes its messages to. */
export interface Connection {
  readonly stream: { cork(): void; uncork(): void };
  /** From `pg` 8.23 on. */
  readonly submittedNamedStatements?: Record<string, string>;
  parse(message: { text: string }): void;
  bind(message: object): void;
  execute(message: object): void;
  sync(): void;
}

/** The query that a client of `pg` works with. */
export interface Query {
  name: string | undefined;
  submit(connection: Connection): Error | null;
  handleCommandComplete(message: object, connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
  _getRows(connection: Connection): void;
}

/** Called with an error, or with the result. */
export type Callback = (error: Error | null, result: unknown) => void;

/** `Query` of `pg`. */
export type QueryClass = new (text: string, values: unknown, callback: Callback) => Query;

/** A statement with parameters; it is prepared under its name, if it has one. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name: string | undefined;
}
