import type { EntityManager, ObjectLiteral } from 'typeorm';

/** Sends a statement of the library itself: as `manager.query()` does, which takes three promises more to reach the manager's query runner. */
export function sendSql(manager: EntityManager, sql: string, parameters: readonly unknown[]): Promise<ObjectLiteral[]> {
  const { queryRunner } = manager;
  return (queryRunner ?? manager).query(sql, parameters as unknown[]);
}
