import type { Callback, Connection, Query, QueryClass, Statement } from './pg-query.js';

interface WithBegin extends Query {
  /** Whether BEGIN failed, or nothing is known of it yet. */
  readonly isOutside: boolean;
}

/** A statement that goes to the server together with what begins its transaction: if that fails, the server does not run it. */
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
      // The client does so under the name that it knows, which is none while BEGIN is not answered.
      const { submittedNamedStatements: submitted } = connection;
      if (this.#name && submitted) Reflect.deleteProperty(submitted, this.#name);
      super.handleError(error, connection);
    }
  };
}
