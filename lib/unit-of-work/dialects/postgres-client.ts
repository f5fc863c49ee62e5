import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { keepWith, keptWith } from '../typeorm/data-source.js';
import { beginWith, type BeginWith, commitWith, type CommitWith } from './pg-query.js';
import type { QueryClass } from './pg-query.js';

type Send = (query: unknown, values?: unknown, ...rest: unknown[]) => unknown;

/** A client of `pg`. */
export interface PgClient {
  query: Send;
  readonly constructor: { Query?: QueryClass };
  readonly connection?: { parse?: unknown; readonly stream: { destroy(error: unknown): void } };
  readonly pipeline?: boolean;
  getTransactionStatus?(): string | null;
}

interface Classes {
  readonly BeginWith: BeginWith;
  readonly CommitWith: CommitWith;
}

/** The outcome of a statement that was sent with the COMMIT. */
interface CommittedWith {
  /** The command tag of the reply to the COMMIT. */
  readonly tag?: string | undefined;
  readonly error?: unknown;
  /** Whether the error is the statement's own, so that the server did not run the COMMIT. */
  readonly isBefore: boolean;
}

const known = new WeakMap<PgClient, PostgresClient>();
const classes = new WeakMap<QueryClass, Classes>();

/**
 * A client of `pg` in units of work: BEGIN is sent with the first statement that has parameters, and some statements by
 * name.
 */
export class PostgresClient {
  readonly #held = new HeldBegin();
  readonly #send: Send;
  readonly #classes: Classes | undefined;

  private constructor(
    private readonly dataSource: DataSource,
    private readonly client: PgClient,
  ) {
    this.#send = client.query.bind(client) as Send;
    this.#classes = classesOf(client);
    client.query = (...query) => this.#query(...query);
  }

  static of(dataSource: DataSource, client: PgClient): PostgresClient {
    const wrapped = known.get(client) ?? new PostgresClient(dataSource, client);
    known.set(client, wrapped);
    return wrapped;
  }

  /** Whether BEGIN was sent and failed: later statements would be committed at once. */
  get isOutside(): boolean {
    return this.#held.isOutside;
  }

  /**
   * Runs `start`, and holds back the BEGIN that it sends until the first statement, or until its end if they cannot be
   * sent together. With an `isolation`, it begins at this one.
   */
  holdBegin(start: () => Promise<void>, isolation?: string): Promise<void> {
    const begun = this.#held.during(start, isolation);
    return this.#classes ? begun : begun.then(() => this.begin());
  }

  /** Whether BEGIN can be held back until the first statement. */
  get canHold(): boolean {
    return this.#classes !== undefined;
  }

  /** Whether a statement can go with the COMMIT now. */
  get canCommitWith(): boolean {
    return this.#classes !== undefined && !this.#held.isWaiting && !this.#held.isOutside;
  }

  /** Sends the statement and COMMIT together. Never rejects. */
  commitWith(text: string, values: readonly unknown[]): Promise<CommittedWith> {
    const name = statementName(this.dataSource, text);
    return new Promise((resolve, reject) => {
      if (!this.#classes) return reject(new TypeError('This client of pg sends one statement at a time'));
      const query = new this.#classes.CommitWith({ text, values, name }, (error) => {
        resolve(error ? { error, isBefore: !query.isDone } : { tag: query.tag, isBefore: false });
      });
      this.#send(query);
    });
  }

  /** Holds back a BEGIN at this isolation; gives its text. */
  hold(isolation: string): string {
    return this.#held.hold(isolation);
  }

  /** Sends what is held back. */
  async begin(): Promise<void> {
    if (!this.#held.isWaiting) return;
    try {
      await this.#send(this.#held.release());
    } catch (error) {
      this.#held.isOutside = true;
      throw error;
    }
  }

  #query(query: unknown, values?: unknown, ...rest: unknown[]): unknown {
    const isText = typeof query === 'string' && typeof values !== 'function' && rest.length === 0;
    if (isText && this.#held.takes(query)) return answer(query);
    if (this.#held.isWaiting) return isText ? this.#afterBegin(query, values) : this.#other(query, values, ...rest);
    if (!isText) return this.#send(query, values, ...rest);
    const name = statementName(this.dataSource, query);
    return name === undefined ? this.#ask(query, values) : this.#ask({ name, text: query, values });
  }

  // A promise of the driver's own keeps its result in memory until the next major collection of garbage, however soon
  // it is dropped.
  #ask(query: unknown, values?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#send(query, values, (error: unknown, result: unknown) =>
        error ? reject(error as Error) : resolve(result),
      );
    });
  }

  #afterBegin(text: string, values: unknown): Promise<unknown> {
    // Without parameters it may be several statements, which only go alone.
    if (this.#classes && Array.isArray(values) && values.length > 0)
      return this.#withBegin(this.#classes.BeginWith, text, values);
    return this.begin().then(() => this.#ask(text, values));
  }

  #withBegin(Query: BeginWith, text: string, values: readonly unknown[]): Promise<unknown> {
    const begin = this.#held.release();
    const name = statementName(this.dataSource, text);
    return new Promise((resolve, reject) => {
      const query = new Query(begin, { text, values, name }, (error, result) => {
        this.#held.isOutside = query.isOutside;
        if (error) reject(error);
        else resolve(result);
      });
      this.#send(query);
    });
  }

  /** Cursors and the like, which are written at once: if BEGIN fails, they must not stay. */
  #other(...query: Parameters<Send>): unknown {
    this.begin().catch((error: unknown) => this.client.connection?.stream.destroy(error));
    return this.#send(...query);
  }
}

function answer(command: string): Promise<object> {
  return Promise.resolve({ command, rowCount: null, rows: [], fields: [] });
}

/**
 * The query classes for the client. Undefined for clients other than `pg`'s own, such as `pg-native`, and in pipeline
 * mode.
 */
function classesOf(client: PgClient): Classes | undefined {
  const { Query } = client.constructor;
  if (!Query || !client.connection?.parse || client.pipeline) return undefined;
  const made = classes.get(Query) ?? { BeginWith: beginWith(Query), CommitWith: commitWith(Query) };
  classes.set(Query, made);
  return made;
}

// As TypeORM words them.
const BEGIN = 'START TRANSACTION';
const SET_ISOLATION = 'SET TRANSACTION ISOLATION LEVEL ';
const ENDS = new Set(['COMMIT', 'ROLLBACK']);

/** The BEGIN of a transaction on one connection, held back until it can be sent together with a statement. */
class HeldBegin {
  #statement: string | undefined;
  #isolation: string | undefined;
  #holds = false;
  /** Whether it was sent and failed: later statements would be committed at once. */
  isOutside = false;

  /** Whether anything waits to be sent. */
  get isWaiting(): boolean {
    return this.#statement !== undefined;
  }

  /** Runs `start`, and holds back the BEGIN that it sends, at this isolation instead of its own. */
  async during(start: () => Promise<void>, isolation?: string): Promise<void> {
    this.#holds = true;
    this.#isolation = isolation;
    this.isOutside = false;
    try {
      await start();
    } finally {
      this.#holds = false;
    }
  }

  /** Holds back a BEGIN at this isolation; gives its text. */
  hold(isolation: string): string {
    this.isOutside = false;
    return (this.#statement = `${BEGIN} ISOLATION LEVEL ${isolation}`);
  }

  /**
   * Whether the statement was taken and need not be sent now: it begins a transaction, or ends one that was never begun
   * on the server.
   */
  takes(sql: string): boolean {
    // One statement does both.
    if (this.#holds && sql === BEGIN)
      this.#statement = this.#isolation ? `${BEGIN} ISOLATION LEVEL ${this.#isolation}` : BEGIN;
    else if (this.#holds && this.isWaiting && sql.startsWith(SET_ISOLATION))
      this.#statement = this.#isolation ? this.#statement : sql.replace(SET_ISOLATION, `${BEGIN} ISOLATION LEVEL `);
    else if (this.isWaiting && ENDS.has(sql)) this.#statement = undefined;
    else return false;
    return true;
  }

  /** The statement that the caller has to send. */
  release(): string {
    const statement = this.#statement ?? BEGIN;
    this.#statement = undefined;
    return statement;
  }
}

const NAMES = Symbol('nestjs-files:statement-names');

/**
 * Makes PostgreSQL plan this text once for each connection instead of once for each call, in units of work. The text
 * must always be the same; only parameters may differ.
 */
export function nameStatement(dataSource: DataSource, sql: string): string {
  const names = keptWith<Map<string, string>>(dataSource, NAMES) ?? new Map<string, string>();
  keepWith(dataSource, NAMES, names);
  names.set(sql, `nestjs_files_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`);
  return sql;
}

/** The name of a text that has one. */
export function statementName(dataSource: DataSource, sql: string): string | undefined {
  return keptWith<Map<string, string>>(dataSource, NAMES)?.get(sql);
}
