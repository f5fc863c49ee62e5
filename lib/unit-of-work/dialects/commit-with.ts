import type { Callback, Connection, Query, QueryClass, Statement } from './pg-query.js';

interface WithCommit extends Query {
  /** Whether the statement was done, so that what comes after is the COMMIT. */
  readonly isDone: boolean;
  /** What the server says it did at the COMMIT. */
  readonly tag: string | undefined;
}

/** A statement that goes to the server together with the COMMIT of its transaction: if it fails, the server does not run that. */
export type CommitWith = new (statement: Statement, callback: Callback) => WithCommit;

/**
 * Makes the class of such statements.
 * The messages: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export function commitWith(base: QueryClass): CommitWith {
  return class extends base {
    #isDone = false;
    #tag: string | undefined;

    constructor({ text, values, name }: Statement, callback: Callback) {
      super(text, values, callback);
      this.name = name;
    }

    get isDone(): boolean {
      return this.#isDone;
    }

    get tag(): string | undefined {
      return this.#tag;
    }

    /** Called when the statement has its parameters, and only if they could be written. */
    override _getRows(connection: Connection): void {
      connection.execute({});
      connection.parse({ text: 'COMMIT' });
      connection.bind({});
      connection.execute({});
      connection.sync();
    }

    override handleCommandComplete(message: { readonly text?: string }, connection: Connection): void {
      if (this.#isDone) this.#tag = message.text;
      else super.handleCommandComplete(message, connection);
      this.#isDone = true;
    }
  };
}
