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

/** Makes calls of the manager and of its repositories quiet that are left running; the function it returns takes that back. */
export function quietManager(manager: EntityManager): () => void {
  const base = Object.getPrototypeOf(manager) as EntityManager;
  const quiet = quietPrototype(base, METHODS);
  if (!Object.hasOwn(quiet, 'getRepository')) Object.defineProperty(quiet, 'getRepository', { value: quietGet(base) });
  Object.setPrototypeOf(manager, quiet);
  const { repositories } = manager as unknown as { repositories: Repositories };
  for (const repository of repositories.values()) quietRepository(repository);
  return () => void Object.setPrototypeOf(manager, base);
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
