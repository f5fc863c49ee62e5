import { GUARD_STATE } from '../../../unit-of-work/transaction/guard-refusal.js';
import type { GuardedTable } from './guarded-table.js';
import { identifier, literal } from './sql-text.js';

/**
 * A function for triggers. It runs with the rights of the migration's user, so the writer of a record needs no access
 * to other records or to files.
 */
export function triggerFunction(guarded: GuardedTable, purpose: string, body: string): string {
  return `CREATE FUNCTION ${functionPath(guarded, purpose)}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ${literal(body)}`;
}

export interface Trigger {
  readonly purpose: string;
  readonly event: 'insert' | 'update' | 'delete';
  readonly table: string;
  readonly when: string;
}

/**
 * A trigger that fires for each row at the COMMIT. The condition `when` is evaluated at once: rows that do not meet it
 * cost nothing at the COMMIT.
 */
export function deferredTrigger(guarded: GuardedTable, { purpose, event, table, when }: Trigger): string {
  return `CREATE CONSTRAINT TRIGGER ${identifier(`${guarded.name}_${purpose}_${event}`)} AFTER ${event.toUpperCase()} ON ${table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION ${functionPath(guarded, purpose)}()`;
}

/** Raises an error like that of a violated CHECK of the table. The record `refused` of the function has the details. */
export function raise({ table }: GuardedTable, constraint: string, message: string, hint: string): string {
  return `RAISE EXCEPTION USING
    ERRCODE = ${literal(GUARD_STATE)}, CONSTRAINT = ${literal(constraint)},
    SCHEMA = ${literal(table.schema)}, TABLE = ${literal(table.name)},
    MESSAGE = ${message},
    DETAIL = jsonb_build_object('entity', refused.entity, 'ownerType', refused.owner_type, 'ownerId', refused.owner_id,
      'field', refused.field, 'files', refused.files)::text,
    HINT = ${literal(hint)};`;
}

export function functionPath({ table, name }: GuardedTable, purpose: string): string {
  return `${identifier(table.schema)}.${identifier(`${name}_${purpose}`)}`;
}
