import type { EntityManager, ObjectLiteral } from 'typeorm';
import { isFacade, sendThrough } from './runner-facade.js';

/**
 * Sends a statement of the library itself, and resolves with its rows: as `manager.query()` does, which needs three
 * more promises to reach the manager's query runner. It must be awaited.
 */
export function sendSql(manager: EntityManager, sql: string, parameters: readonly unknown[]): Promise<ObjectLiteral[]> {
  const { queryRunner } = manager;
  if (isFacade(queryRunner)) return sendThrough(queryRunner, sql, parameters as unknown[]);
  return (queryRunner ?? manager).query(sql, parameters as unknown[]);
}

/** The items in order, at most `size` at a time: databases limit the parameters of a statement. */
export function* inChunks<T>(items: readonly T[], size: number): Generator<T[], void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
