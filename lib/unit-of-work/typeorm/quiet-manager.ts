import type { EntityManager } from 'typeorm';
import { quietPrototype } from './quiet.js';

/** What entity managers and repositories answer with a promise. */
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
export type OverTransaction = (manager: EntityManager, own: Transaction, args: unknown[]) => Promise<unknown>;

/**
 * Makes calls of the manager and of its repositories quiet that are left running, and has `transaction` called in place of the manager's; the
 * function it returns takes both back. All managers of a kind share one object to inherit from: a unit of work makes several of them.
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

const quieted = new WeakSet<object>();

function quietRepository(repository: object): void {
  if (quieted.has(repository)) return;
  quieted.add(repository);
  Object.setPrototypeOf(repository, quietPrototype(Object.getPrototypeOf(repository) as object, METHODS));
}
