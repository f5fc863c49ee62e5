import type { MigrationInterface, QueryRunner } from 'typeorm';
import { createGuards, dropGuards } from './database-guards.js';
import type { GuardedTargets, GuardOptions } from './database-guards.js';

/**
 * The class of a migration that makes guards in the database, as `createGuards()` does, and drops them when it is reverted. To be extended
 * by a class with a name and a timestamp.
 * @example export class GuardPackages1767398400000 extends guardMigration([Package]) {}
 */
export function guardMigration(entities: GuardedTargets, options: GuardOptions = {}): new () => MigrationInterface {
  return class implements MigrationInterface {
    up(runner: QueryRunner): Promise<void> {
      return createGuards(runner, entities, options);
    }

    down(runner: QueryRunner): Promise<void> {
      return dropGuards(runner, entities);
    }
  };
}
