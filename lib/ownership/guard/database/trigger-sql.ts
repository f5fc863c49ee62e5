import { GUARD_STATE } from '../../../unit-of-work/transaction/guard-refusal.js';
import type { GuardedTable } from './guarded-table.js';
import { identifier, literal } from './sql-text.js';

/**
 * A function for triggers. It runs with the rights of the migration's user, as foreign keys do: the writer of a record
 * need not see all records, nor be allowed to write files.
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

/** A trigger that fires for each row at the COMMIT. The condition `when` is evaluated at once, and spares the rest. */
export function deferredTrigger(guarded: GuardedTable, { purpose, event, table, when }: Trigger): string {
  return `CREATE CONSTRAINT TRIGGER ${identifier(`${guarded.name}_${purpose}_${event}`)} AFTER ${event.toUpperCase()} ON ${table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION ${functionPath(guarded, purpose)}()`;
}

/** The refusal, as if a check of the table were violated. `refused` names its subject. */
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
