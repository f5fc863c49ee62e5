/**
 * Migrations of the tables of the library, and guards in the database.
 * @module nestjs-files/migrations
 */

export { FILES_MIGRATIONS } from '../migrations/files-migrations.js';
export { runMigrations } from '../migrations/run-migrations.js';
export { createGuards, dropGuards, guardMigration } from '../ownership/guard/database/database-guards.js';
export type { GuardOptions, GuardedTargets } from '../ownership/guard/database/database-guards.js';
