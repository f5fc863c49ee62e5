import type { Readable } from 'node:stream';
import {
  type DataSource,
  type EntityManager,
  type EntitySubscriberInterface,
  type ObjectLiteral,
  type QueryResult,
  type QueryRunner,
  QueryRunnerAlreadyReleasedError,
} from 'typeorm';
import { ambientOf } from '../scopes/here.js';
import type { IsolationLevel } from '../dialects/dialect.js';
import type { Scope } from '../scopes/scope.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';
import { quietOnceEnded } from './quiet.js';
import { emptyCache, SCHEMA_CACHES } from './schema-caches.js';

const FACADE = Symbol('nestjs-files:runner-facade');

/** A query runner that shares a unit's transaction and counts its own depth, so that its user cannot end the unit. */
export interface RunnerFacade extends QueryRunner {
  readonly [FACADE]: FacadeState;
}

/** The query runner whose transaction the facade shares. */
export function sharedRunner(facade: RunnerFacade): QueryRunner {
  return facade[FACADE].transaction.runner;
}

/**
 * The scope that the facade was made in, if a unit of work opened the transaction; undefined if the application did.
 */
export function homeOf(facade: RunnerFacade): Scope | undefined {
  const { transaction, home } = facade[FACADE];
  return transaction.isJoined ? undefined : home;
}

interface FacadeState {
  readonly transaction: UnitTransaction;
  readonly home: Scope;
  depth: number;
  /** Whether a statement failed in the transaction that was begun through the facade. */
  failed: boolean;
  released: boolean;
  data: object;
  manager: EntityManager | undefined;
  broadcaster: Broadcaster | undefined;
}

export function isFacade(runner: QueryRunner | undefined): runner is RunnerFacade {
  return runner !== undefined && FACADE in runner;
}

/**
 * The scope that work through the facade belongs to: that of the calling flow if it is in the same transaction,
 * otherwise that in which the facade was made.
 */
export function scopeOf(facade: RunnerFacade): Scope {
  const { transaction, home } = facade[FACADE];
  const here = ambientOf(transaction.dataSource);
  return here?.kind === 'scope' && here.transaction === transaction ? here : home;
}

/** Makes a query runner that shares the scope's transaction. */
export function createFacade(home: Scope): RunnerFacade {
  const { transaction } = home;
  const facade = Object.create(prototypeIn(transaction)) as { [FACADE]: FacadeState };
  facade[FACADE] = {
    transaction,
    home,
    depth: 0,
    failed: false,
    released: false,
    data: {},
    manager: undefined,
    broadcaster: undefined,
  };
  return facade as RunnerFacade;
}

interface SharedPrototype {
  readonly prototype: object;
  readonly members: Set<PropertyKey>;
}

const prototypes = new WeakMap<object, SharedPrototype>();

/**
 * The prototype of a transaction's facades. It is looked up once: as soon as the runner is in a transaction, it has all
 * its members.
 */
function prototypeIn(transaction: UnitTransaction): object {
  return (transaction.facadePrototype ??= prototypeFor(transaction.runner));
}

/**
 * The prototype of facades of one runner class: the overrides, then this class. Fields are read from the runner. A
 * field that a method sets, and a cache that it changes in place, belong to the facade on which it was called. All
 * units share the prototype, because making it is slow.
 */
function prototypeFor(runner: QueryRunner): object {
  const base = Object.getPrototypeOf(runner) as object;
  let shared = prototypes.get(base);
  if (!shared) {
    const prototype = Object.create(base, Object.getOwnPropertyDescriptors(overrides)) as object;
    prototypes.set(base, (shared = { prototype, members: new Set(Reflect.ownKeys(overrides)) }));
  }
  for (const member of Reflect.ownKeys(runner)) if (!shared.members.has(member)) delegate(shared, member);
  return shared.prototype;
}

function delegate({ prototype, members }: SharedPrototype, member: PropertyKey): void {
  members.add(member);
  Object.defineProperty(prototype, member, {
    configurable: true,
    get(this: RunnerFacade): unknown {
      const { runner } = this[FACADE].transaction;
      if (!SCHEMA_CACHES.has(member)) return Reflect.get(runner, member);
      const cache = emptyCache(runner, member);
      Reflect.set(this, member, cache);
      return cache;
    },
    set(this: RunnerFacade, value: unknown) {
      Object.defineProperty(this, member, { configurable: true, enumerable: true, writable: true, value });
    },
  });
}

/** Runs a statement for the library, and resolves with its rows. The library awaits it. */
export function sendThrough(facade: RunnerFacade, sql: string, parameters: unknown[]): Promise<ObjectLiteral[]> {
  const { runner, dialect } = facade[FACADE].transaction;
  return statementOf(facade, sql, () => dialect.send(runner, sql, parameters)).then(
    ({ raw }) => raw as ObjectLiteral[],
  );
}

function statementOf(facade: RunnerFacade, sql: string, run: () => Promise<QueryResult>): Promise<QueryResult> {
  const { transaction, released, depth } = facade[FACADE];
  if (released) return Promise.reject(new QueryRunnerAlreadyReleasedError());
  const result = transaction.statement(scopeOf(facade), facade, sql, run);
  if (depth > 0) result.catch(() => (facade[FACADE].failed = true));
  return result;
}

type Broadcaster = QueryRunner['broadcaster'];

// All other members are the runner's own. They call these.
const overrides: ThisType<RunnerFacade> & object = {
  get isTransactionActive(): boolean {
    return true;
  },

  get isReleased(): boolean {
    return stateOf(this).released;
  },

  get data(): object {
    return stateOf(this).data;
  },

  set data(data: object) {
    stateOf(this).data = data;
  },

  get manager(): EntityManager {
    const state = stateOf(this);
    return (state.manager ??= state.transaction.dataSource.createEntityManager(this as QueryRunner));
  },

  set manager(manager: EntityManager) {
    stateOf(this).manager = manager;
  },

  get broadcaster(): Broadcaster {
    const state = stateOf(this);
    const { constructor } = state.transaction.runner.broadcaster;
    return (state.broadcaster ??= skipIdleBroadcasts(
      new (constructor as new (runner: object) => Broadcaster)(this),
      state.transaction.dataSource,
    ));
  },

  connect(): Promise<unknown> {
    return this[FACADE].transaction.connection();
  },

  // Not async, because on Node 20 AsyncLocalStorage tracks each promise between the caller and the driver, which is
  // slow.
  query(sql: string, parameters?: unknown[], structured = false): Promise<unknown> {
    const { runner, dialect } = this[FACADE].transaction;
    const result = statementOf(this, sql, () => dialect.query(runner, sql, parameters));
    return structured ? result : result.then(({ raw }): unknown => raw);
  },

  stream(sql: string, parameters?: unknown[], onEnd?: () => void, onError?: () => void): Promise<Readable> {
    const { transaction, released } = this[FACADE];
    if (released) return Promise.reject(new QueryRunnerAlreadyReleasedError());
    const scope = scopeOf(this);
    const open = (): Promise<Readable> => transaction.runner.stream(sql, parameters, onEnd, onError);
    return quietOnceEnded(scope, transaction.stream(scope, open));
  },

  async startTransaction(isolation?: IsolationLevel): Promise<void> {
    assertHeld(this);
    const { transaction } = this[FACADE];
    if (isolation) await transaction.assertIsolation(isolation);
    const scope = scopeOf(this);
    await transaction.openSavepoint(this, scope.openedBy === this ? scope : undefined);
    if (this[FACADE].depth++ === 0) this[FACADE].failed = false;
  },

  // At depth 0, the caller has begun no transaction that it could end.
  async commitTransaction(): Promise<void> {
    if (this[FACADE].depth === 0) return;
    this[FACADE].depth--;
    await this[FACADE].transaction.releaseSavepoint(this);
  },

  async rollbackTransaction(): Promise<void> {
    if (this[FACADE].depth === 0) return;
    this[FACADE].depth--;
    await this[FACADE].transaction.rollbackToSavepoint(this);
  },

  async release(): Promise<void> {
    while (this[FACADE].depth > 0) await this.rollbackTransaction();
    this[FACADE].released = true;
  },

  // TypeORM's method always commits, because it does not learn of an exception. This one sees statements that failed.
  async [Symbol.asyncDispose](): Promise<void> {
    while (this[FACADE].depth > 0 && !this[FACADE].failed) await this.commitTransaction();
    await this.release();
  },
};

// TypeScript does not apply `ThisType` to the getters of an object literal.
function stateOf(facade: unknown): FacadeState {
  return (facade as RunnerFacade)[FACADE];
}

function assertHeld(facade: RunnerFacade): void {
  if (facade[FACADE].released) throw new QueryRunnerAlreadyReleasedError();
}

type Listener = keyof EntitySubscriberInterface;

/** The events that only subscribers get, and the method that gets each. */
const LISTENERS = new Map<string, Listener>([
  ['BeforeQuery', 'beforeQuery'],
  ['BeforeTransactionStart', 'beforeTransactionStart'],
  ['AfterTransactionStart', 'afterTransactionStart'],
  ['BeforeTransactionCommit', 'beforeTransactionCommit'],
  ['AfterTransactionCommit', 'afterTransactionCommit'],
  ['BeforeTransactionRollback', 'beforeTransactionRollback'],
  ['AfterTransactionRollback', 'afterTransactionRollback'],
]);
const NOTHING = Promise.resolve();
const SKIPS_IDLE = Symbol('nestjs-files:skips-idle-broadcasts');

/** Skips events without listeners. TypeORM makes several promises for each event of each statement, even for these. */
export function skipIdleBroadcasts(broadcaster: Broadcaster, dataSource: DataSource): Broadcaster {
  if (SKIPS_IDLE in broadcaster) return broadcaster;
  (broadcaster as { [SKIPS_IDLE]?: boolean })[SKIPS_IDLE] = true;
  const broadcast = broadcaster.broadcast.bind(broadcaster) as (...event: unknown[]) => Promise<void>;
  broadcaster.broadcast = (event: string, ...rest: unknown[]) => {
    const listener = LISTENERS.get(event);
    const isHeard = listener === undefined || dataSource.subscribers.some((subscriber) => subscriber[listener]);
    return isHeard ? broadcast(event, ...rest) : NOTHING;
  };
  return broadcaster;
}
