import { HeldBegin } from './held-begin.js';

type Answer = (error: Error | null, result?: unknown, fields?: unknown) => void;
type Send = (sql: unknown, ...rest: unknown[]) => unknown;

/** A connection of `mysql2`. */
export interface MysqlConnection {
  query: Send;
  destroy(): void;
}

// Several statements in one text, or what has no rows, go alone.
const IS_ONE_SELECT = /^\s*select\b[^;]*$/i;
// ER_CANT_CHANGE_TX_CHARACTERISTICS, and ER_XAER_RMFAIL of an XA transaction: https://mariadb.com/kb/en/mariadb-error-code-reference/
const OPEN_BEFORE = new Set<number | undefined>([1568, 1399]);
const known = new WeakMap<MysqlConnection, MariadbConnection>();

/**
 * A connection of `mysql2` to MariaDB in units of work: what begins the transaction is one compound statement, and so is a SELECT that
 * comes next. https://mariadb.com/kb/en/begin-end/
 */
export class MariadbConnection {
  readonly #held = new HeldBegin();
  readonly #send: Send;

  private constructor(private readonly connection: MysqlConnection) {
    this.#send = connection.query.bind(connection) as Send;
    connection.query = (...query) => this.#query(...query);
  }

  static of(connection: MysqlConnection): MariadbConnection {
    const wrapped = known.get(connection) ?? new MariadbConnection(connection);
    known.set(connection, wrapped);
    return wrapped;
  }

  /** Whether BEGIN was sent and failed: what comes after it would be committed at once. */
  get isOutside(): boolean {
    return this.#held.isOutside;
  }

  /** Runs `start`, and holds the statements back that begin a transaction. */
  holdBegin(start: () => Promise<void>): Promise<void> {
    return this.#held.during(start);
  }

  /** Sends what is held back. */
  async begin(): Promise<void> {
    if (!this.#held.isWaiting) return;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#send(this.#compound(), (error: Error | null) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      this.#held.isOutside = true;
      throw error;
    }
  }

  #query(...query: Parameters<Send>): unknown {
    const [sql] = query;
    const answer = query.at(-1);
    if (typeof sql === 'string' && isAnswer(answer)) {
      if (this.#held.takes(sql)) return answer(null, {});
      if (this.#held.isWaiting) return this.#afterBegin(sql, query.slice(1, -1), answer);
    } else if (this.#held.isWaiting) {
      // A stream or the like, which is queued at once: if BEGIN fails, it must not stay.
      this.begin().catch(() => this.connection.destroy());
    }
    return this.#send(...query);
  }

  #afterBegin(sql: string, values: unknown[], answer: Answer): void {
    if (IS_ONE_SELECT.test(sql)) {
      this.#send(this.#compound(sql), ...values, (error: Error | null, results: unknown, fields: unknown) => {
        if (error) this.#askWhetherOutside(error, () => answer(error));
        else answer(null, ...rowsOf(results, fields));
      });
      return;
    }
    // What `mysql2` returns may not be the result of a promise: its `then()` throws.
    this.begin().then(
      () => void this.#send(sql, ...values, answer),
      (error: Error) => answer(error),
    );
  }

  /** What is held back, and what comes with it, as one statement. */
  #compound(...others: string[]): string {
    return `BEGIN NOT ATOMIC ${[...this.#held.release(), ...others].map((sql) => `${sql}\n; `).join('')}END`;
  }

  /** The error does not say which of the statements it is of; that of a transaction which somebody left open does. */
  #askWhetherOutside(failure: Error & { errno?: number }, done: () => void): void {
    const wasOpen = OPEN_BEFORE.has(failure.errno);
    this.#send('SELECT @@in_transaction AS isInside', (error: Error | null, rows?: { isInside: unknown }[]) => {
      this.#held.isOutside = wasOpen || error !== null || Number(rows?.[0]?.isInside) !== 1;
      done();
    });
  }
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === 'function';
}

// The rows, and what the compound statement itself answers; SELECT … INTO has no rows.
function rowsOf(results: unknown, fields: unknown): [unknown, unknown] {
  return Array.isArray(results) && Array.isArray(fields) ? [results[0], fields[0]] : [results, fields];
}
