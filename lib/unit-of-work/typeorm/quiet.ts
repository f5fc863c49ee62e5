import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { scopeHere } from '../scopes/here.js';
import type { ForeignTransaction } from '../transaction/foreign-transaction.js';
import type { Scope } from '../scopes/scope.js';
import { quietOnceOver } from '../mutex.js';

const logger = new Logger('UnitOfWork');

/**
 * The same outcome; but a failure that comes after the scope has ended is logged: the unit itself has failed because of
 * work that was not awaited.
 */
export function quietOnceEnded<T>(scope: Scope | ForeignTransaction | undefined, work: Promise<T>): Promise<T> {
  if (scope?.kind !== 'scope') return work;
  return quietOnceOver(
    work,
    () => !scope.isActive,
    (error) => tell(scope, error),
  );
}

/** Once for each unit: one call that is left running fails in several places. */
function tell({ transaction }: Scope, error: unknown): void {
  if (transaction.hasToldLateFailure) return;
  transaction.hasToldLateFailure = true;
  logger.warn(`Work that was left running failed after its unit of work had ended: ${String(error)}`);
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Whether such a method is called by another one: repositories call their manager, whose promise they pass on. */
let isInside = false;

/**
 * A method whose promises are quiet after the end of the unit of work that called it; `find` gives the method itself.
 */
function quietly(find: () => Method): Method {
  return function (...args) {
    if (isInside) return find().apply(this, args);
    let result: unknown;
    isInside = true;
    try {
      result = find().apply(this, args);
    } finally {
      isInside = false;
    }
    const scope = result instanceof Promise ? scopeHere() : undefined;
    return scope ? quietOnceEnded(scope, result as Promise<unknown>) : result;
  };
}

/**
 * Makes the named methods of the class quiet, and counts their calls as running, because a call may be between two
 * statements when its unit ends.
 */
export function Quiet(...names: string[]): ClassDecorator {
  return ({ prototype }) => {
    const methods = prototype as unknown as Record<string, Method>;
    for (const name of names) {
      const method = counted(methods[name] as Method);
      const value = quietly(() => method);
      Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
    }
  };
}

function counted(method: Method): Method {
  return function (...args) {
    const result = method.apply(this, args);
    const scope = result instanceof Promise ? scopeHere() : undefined;
    if (!scope?.isActive) return result;
    scope.beginStatement();
    return (result as Promise<unknown>).finally(() => scope.endStatement());
  };
}

const prototypes = new WeakMap<object, object>();

/**
 * An object to inherit from in place of `base`, whose methods of these names are quiet; `base` itself where it is such
 * an object.
 */
function quietPrototype(base: object, names: readonly string[]): object {
  let quiet = prototypes.get(base);
  if (!quiet) {
    const methods = base as Record<string, Method>;
    quiet = Object.create(base) as object;
    for (const name of names) {
      if (typeof methods[name] !== 'function') continue;
      Object.defineProperty(quiet, name, {
        configurable: true,
        writable: true,
        value: quietly(() => methods[name] as Method),
      });
    }
    prototypes.set(base, quiet).set(quiet, quiet);
  }
  return quiet;
}

/** The methods of entity managers and repositories that return a promise. */
const METHODS = [
  'average',
  'clear',
  'count',
  'countBy',
  'decrement',
  'delete',
  'deleteAll',
  'exists',
  'existsBy',
  'find',
  'findAndCount',
  'findAndCountBy',
  'findBy',
  'findByIds',
  'findOne',
  'findOneBy',
  'findOneById',
  'findOneByOrFail',
  'findOneOrFail',
  'increment',
  'insert',
  'maximum',
  'minimum',
  'preload',
  'query',
  'recover',
  'remove',
  'restore',
  'save',
  'softDelete',
  'softRemove',
  'sum',
  'update',
  'updateAll',
  'upsert',
];

type Repositories = Map<unknown, object> | object[];

type Transaction = (this: EntityManager, ...args: unknown[]) => Promise<unknown>;

/** Called in place of `manager.transaction()`; `own` is TypeORM's. */
type OverTransaction = (manager: EntityManager, own: Transaction, args: unknown[]) => Promise<unknown>;

/**
 * Makes calls of the manager and its repositories quiet if they are left running, and replaces the manager's
 * `transaction`; the returned function takes both back. All managers of a kind share one object to inherit from: a unit
 * of work makes several of them.
 */
export function quietManager(manager: EntityManager, transaction: OverTransaction): () => void {
  const base = Object.getPrototypeOf(manager) as EntityManager;
  const quiet = quietPrototype(base, METHODS);
  if (!Object.hasOwn(quiet, 'getRepository')) {
    Object.defineProperties(quiet, {
      getRepository: { value: quietGet(base), configurable: true, writable: true },
      transaction: { value: over(base, transaction), configurable: true, writable: true },
    });
  }
  Object.setPrototypeOf(manager, quiet);
  const { repositories } = manager as unknown as { repositories: Repositories };
  for (const repository of repositories.values()) quietRepository(repository);
  return () => void Object.setPrototypeOf(manager, base);
}

function over(base: EntityManager, transaction: OverTransaction) {
  return function (this: EntityManager, ...args: unknown[]): Promise<unknown> {
    return transaction(this, base.transaction as Transaction, args);
  };
}

function quietGet(base: EntityManager) {
  return function (this: EntityManager, target: Parameters<EntityManager['getRepository']>[0]): object {
    const repository = base.getRepository.call(this, target);
    quietRepository(repository);
    return repository;
  };
}

function quietRepository(repository: object): void {
  const base = Object.getPrototypeOf(repository) as object;
  const quiet = quietPrototype(base, METHODS);
  if (quiet !== base) Object.setPrototypeOf(repository, quiet);
}
