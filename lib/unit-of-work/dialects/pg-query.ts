/** The connection that a query of `pg` writes its messages to. */
interface Connection {
  readonly stream: { cork(): void; uncork(): void };
  /** From `pg` 8.23 on. */
  readonly submittedNamedStatements?: Record<string, string>;
  parse(message: { text: string }): void;
  bind(message: object): void;
  execute(message: object): void;
  sync(): void;
}

/** The query that a client of `pg` works with. */
interface Query {
  name: string | undefined;
  submit(connection: Connection): Error | null;
  handleCommandComplete(message: object, connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
  _getRows(connection: Connection): void;
}

/** Called with an error, or with the result. */
type Callback = (error: Error | null, result: unknown) => void;

/** `Query` of `pg`. */
export type QueryClass = new (text: string, values: unknown, callback: Callback) => Query;

/** A statement with parameters; it is prepared under its name, if it has one. */
interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name: string | undefined;
}

interface WithBegin extends Query {
  /** Whether BEGIN failed, or nothing is known of it yet. */
  readonly isOutside: boolean;
}

/**
 * A statement that is sent together with the BEGIN of its transaction. If the BEGIN fails, the server does not run it.
 */
export type BeginWith = new (begin: string, statement: Statement, callback: Callback) => WithBegin;

/**
 * Makes the class of such statements.
 * The messages: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export function beginWith(base: QueryClass): BeginWith {
  return class extends base {
    readonly #name: string | undefined;
    #isOutside = true;

    constructor(
      private readonly begin: string,
      { text, values, name }: Statement,
      callback: Callback,
    ) {
      super(text, values, callback);
      this.#name = name;
    }

    get isOutside(): boolean {
      return this.#isOutside;
    }

    override submit(connection: Connection): Error | null {
      connection.stream.cork();
      try {
        connection.parse({ text: this.begin });
        connection.bind({});
        connection.execute({});
        this.name = this.#name;
        return super.submit(connection);
      } finally {
        // The client notes under this name that a statement is parsed: not when it is BEGIN.
        this.name = undefined;
        connection.stream.uncork();
      }
    }

    override handleCommandComplete(message: object, connection: Connection): void {
      if (!this.#isOutside) {
        super.handleCommandComplete(message, connection);
        return;
      }
      this.#isOutside = false;
      this.name = this.#name;
    }

    override handleError(error: Error, connection: Connection): void {
      // The client uses the name that it knows, and it knows none before the reply to BEGIN.
      const { submittedNamedStatements: submitted } = connection;
      if (this.#name && submitted) Reflect.deleteProperty(submitted, this.#name);
      super.handleError(error, connection);
    }
  };
}

interface WithCommit extends Query {
  /** Whether the statement was done, so that the next reply is that to the COMMIT. */
  readonly isDone: boolean;
  /** The command tag of the reply to the COMMIT. */
  readonly tag: string | undefined;
}

/**
 * A statement that goes to the server together with the COMMIT of its transaction: if it fails, the server does not run
 * the COMMIT.
 */
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
