import type { ManagedFile } from '../../../files/managed-file.entity.js';
import { GUARD_CONSTRAINTS } from '../../../unit-of-work/transaction/guard-refusal.js';
import type { TableNames } from '../../../unit-of-work/typeorm/table-names.js';
import type { GuardedClass, GuardedTable, StoredField } from './guarded-table.js';
import { identifier, integerIn, literal, uuidIn } from './sql-text.js';
import { isInteger } from './stored-ids.js';
import type { StoredColumn } from './stored-table.js';
import { deferredTrigger, functionPath, raise, triggerFunction } from './trigger-sql.js';

const PURPOSE = 'in_use';

/** A file that was deleted, or taken from its owner, is not named by a row of that owner at the COMMIT. */
export function createInUse(guarded: GuardedTable, files: TableNames<ManagedFile>): string[] {
  const { column, table } = files;
  const types = [...new Set(guarded.classes.map(({ ownerType }) => literal(ownerType)))].join(', ');
  const isOwned = `OLD.${column('ownerType')} IN (${types})`;
  const parts = [column('id'), column('ownerType'), column('ownerId')];
  const moves = parts.map((part) => `OLD.${part} IS DISTINCT FROM NEW.${part}`).join(' OR ');
  return [
    triggerFunction(guarded, PURPOSE, bodyOf(guarded, files)),
    deferredTrigger(guarded, { purpose: PURPOSE, event: 'update', table, when: `${isOwned} AND (${moves})` }),
    deferredTrigger(guarded, { purpose: PURPOSE, event: 'delete', table, when: isOwned }),
    // TRUNCATE has no rows, and no end of the transaction: as with foreign keys, the records go in the same statement.
    `CREATE TRIGGER ${identifier(`${guarded.name}_${PURPOSE}_truncate`)} AFTER TRUNCATE ON ${table}
FOR EACH STATEMENT EXECUTE FUNCTION ${functionPath(guarded, PURPOSE)}()`,
  ];
}

function bodyOf(guarded: GuardedTable, files: TableNames<ManagedFile>): string {
  const { column } = files;
  const { path } = guarded.table;
  const rows = `SELECT n.entity, n.owner_type, n.owner_id, n.field, ARRAY[n.value] AS files
    INTO refused
    FROM ${path} AS r CROSS JOIN LATERAL ${functionPath(guarded, 'named')}(r) AS n`;
  const candidates = guarded.classes.map((one) => mayName(one, files)).join('\n      OR ');
  const message = `format('%s %s still names file %s in %s (table %s)',
      refused.owner_type, refused.owner_id, refused.files[1], refused.field, ${literal(path)})`;
  return `
DECLARE
  refused record;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    ${rows} LIMIT 1;
  ELSE
    -- It may be its owner's again.
    PERFORM FROM ${files.table} AS f WHERE f.${column('id')} = OLD.${column('id')}
      AND f.${column('ownerType')} = OLD.${column('ownerType')} AND f.${column('ownerId')} = OLD.${column('ownerId')};
    IF FOUND THEN RETURN NULL; END IF;
    ${rows}
    WHERE (${candidates})
      AND n.value = OLD.${column('id')}::text AND n.owner_type = OLD.${column('ownerType')} AND n.owner_id = OLD.${column('ownerId')}
    LIMIT 1;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  ${raise(guarded, GUARD_CONSTRAINTS.inUse, message, 'Change the record in the same transaction.')}
END`;
}

/**
 * The condition that narrows the rows down by an index: that of the owner id, or that of a column of one id where an
 * owner has many rows.
 */
function mayName({ id, isOneRow, fields }: GuardedClass, { column }: TableNames<ManagedFile>): string {
  const fileId = `OLD.${column('id')}`;
  const isOwners = isOwner(id, `OLD.${column('ownerId')}`);
  const conditions = fields.map((field) => {
    const mentions = mentionsFile(field, fileId);
    return field.form === 'uuid' && !isOneRow ? mentions : `(${isOwners} AND ${mentions})`;
  });
  return conditions.join(' OR ');
}

/**
 * A long list is parsed only where it may name the file: in JSON, a character of the id may be written as an escape.
 */
function mentionsFile({ column: { name }, form }: StoredField, fileId: string): string {
  const value = `r.${identifier(name)}`;
  if (form === 'uuid') return `${value} = ${fileId}`;
  const text = `${value}::text COLLATE "C"`;
  const searched = form === 'json' ? `replace(${text}, '\\', ${fileId}::text)` : text;
  return `strpos(lower(${searched}), ${fileId}::text) > 0`;
}

function isOwner(id: StoredColumn, ownerId: string): string {
  const value = `r.${identifier(id.name)}`;
  if (id.type === 'uuid') return `${value} = ${uuidIn(ownerId)}`;
  if (isInteger(id)) return `${value} = ${integerIn(ownerId)}`;
  return id.type === 'text' || id.type === 'character varying'
    ? `${value} = ${ownerId}`
    : `${value}::text = ${ownerId}`;
}
