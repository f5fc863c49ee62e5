import type { QueryRunner } from 'typeorm';
import { emptyCache, SCHEMA_CACHES } from './schema-caches.js';

const REAL = Symbol('nestjs-files:real-runner');

/**
 * The query runner that work inside of an application's own `transaction()` callback gets on asking for another one:
 * TypeORM shares the first.
 */
export function sharedView(runner: QueryRunner): QueryRunner {
  const state = runner as unknown as Record<string, unknown>;
  const delegated = (member: string): PropertyDescriptor => ({
    get: () => state[member],
    set: (value: unknown) => (state[member] = value),
  });
  const view = Object.create(runner, {
    isTransactionActive: delegated('isTransactionActive'),
    transactionDepth: delegated('transactionDepth'),
    [REAL]: { value: runner },
    data: { value: {}, writable: true },
    manager: { value: undefined, writable: true },
    release: { value: () => Promise.resolve() },
  }) as QueryRunner;
  for (const cache of SCHEMA_CACHES) Reflect.set(view, cache, emptyCache(runner, cache));
  return view;
}

/** The query runner behind a shared view; for any other, itself. */
export function realRunner(runner: QueryRunner): QueryRunner {
  return (runner as QueryRunner & { [REAL]?: QueryRunner })[REAL] ?? runner;
}
