import type { ManagedFile } from '../../../files/managed-file.entity.js';
import { GUARD_CONSTRAINTS } from '../../../unit-of-work/transaction/guard-refusal.js';
import type { TableNames } from '../../../unit-of-work/typeorm/table-names.js';
import type { GuardedTable, StoredField } from './guarded-table.js';
import { identifier, literal, uuidIn } from './sql-text.js';
import type { StoredColumn } from './stored-table.js';
import { deferredTrigger, functionPath, raise, triggerFunction } from './trigger-sql.js';

const PURPOSE = 'not_own';
/** The forms of lists that name no file. */
const EMPTY = ['', '[]', '{}', 'null'].map(literal).join(', ');

/**
 * A written row names only its own files at the COMMIT. A file that it named before, as the same owner, needs no check:
 * a transaction that takes that file away finds the row.
 */
export function createNotOwn(guarded: GuardedTable, files: TableNames<ManagedFile>): string[] {
  const { table, keys, classes } = guarded;
  const fields = classes.flatMap((one) => one.fields);
  const kinds = classes.flatMap(({ id, kind }) => (kind ? [id, kind.column] : [id]));
  const watched = byName([...keys, ...kinds, ...fields.map(({ column }) => column)]);
  const changes = watched.map((one) => `${comparable('OLD', one)} IS DISTINCT FROM ${comparable('NEW', one)}`);
  const names = uniqueFields(fields).map(namesAny).join(' OR ');
  const trigger = { purpose: PURPOSE, table: table.path };
  return [
    triggerFunction(guarded, PURPOSE, bodyOf(guarded, files)),
    deferredTrigger(guarded, { ...trigger, event: 'insert', when: names }),
    deferredTrigger(guarded, { ...trigger, event: 'update', when: `(${names}) AND (${changes.join(' OR ')})` }),
  ];
}

/** Joins the files `f` to the names in rows, `n`. */
export function joinFiles({ table, column }: TableNames<ManagedFile>): string {
  return `LEFT JOIN ${table} AS f ON f.${column('id')} = ${uuidIn('n.value')}`;
}

/** Whether a named file is not the row's own. */
export function isForeign({ column }: TableNames<ManagedFile>): string {
  return `(f.${column('ownerType')} = n.owner_type AND f.${column('ownerId')} = n.owner_id) IS NOT TRUE`;
}

function bodyOf(guarded: GuardedTable, files: TableNames<ManagedFile>): string {
  const { table, keys } = guarded;
  const named = functionPath(guarded, 'named');
  const same = (one: string, other: string): string =>
    keys.map(({ name }) => `${one}.${identifier(name)} = ${other}.${identifier(name)}`).join(' AND ');
  const id = files.column('id');
  const ownerId = files.column('ownerId');
  const message = `format('%s %s names file %s in %s (table %s), which is not its own',
      refused.owner_type, refused.owner_id, refused.files[1], refused.field, ${literal(table.path)})`;
  return `
DECLARE
  others uuid[];
  foreigners text[];
  refused record;
BEGIN
  FOR pass IN 1..2 LOOP
    -- The row as it is now: later statements may have changed it.
    SELECT array_agg(f.${id}) FILTER (WHERE f.xmin <> pg_current_xact_id()::xid),
      array_agg(n.value) FILTER (WHERE ${isForeign(files)})
    INTO others, foreigners
    FROM (
      SELECT n.owner_type, n.owner_id, n.value
      FROM ${table.path} AS written CROSS JOIN LATERAL ${named}(written) AS n WHERE ${same('written', 'NEW')}
      EXCEPT
      SELECT o.owner_type, o.owner_id, o.value FROM ${named}(OLD) AS o WHERE ${same('OLD', 'NEW')}
    ) AS n ${joinFiles(files)};
    EXIT WHEN others IS NULL OR pass = 2;
    -- Waits for those who are taking the files away, and looks again. The files are written as well: a transaction at REPEATABLE READ
    -- that takes them away later does not see the row, but fails at a file that was written meanwhile.
    PERFORM FROM ${files.table} AS f WHERE f.${id} = ANY (others) ORDER BY f.${id} FOR NO KEY UPDATE;
    UPDATE ${files.table} AS f SET ${ownerId} = f.${ownerId} WHERE f.${id} = ANY (others);
  END LOOP;
  IF foreigners IS NULL THEN RETURN NULL; END IF;
  SELECT n.entity, n.owner_type, n.owner_id, n.field, array_agg(DISTINCT n.value) AS files
  INTO refused
  FROM ${table.path} AS written CROSS JOIN LATERAL ${named}(written) AS n
  WHERE ${same('written', 'NEW')} AND n.value = ANY (foreigners)
  GROUP BY n.entity, n.owner_type, n.owner_id, n.field
  LIMIT 1;
  ${raise(guarded, GUARD_CONSTRAINTS.notOwn, message, 'Give the file to its owner in the same transaction.')}
END`;
}

function namesAny({ column, form }: StoredField): string {
  const value = `NEW.${identifier(column.name)}`;
  return form === 'uuid' ? `${value} IS NOT NULL` : `coalesce(${value}::text, '') NOT IN (${EMPTY})`;
}

// The type json has no equality.
function comparable(row: string, { name, type }: StoredColumn): string {
  return `${row}.${identifier(name)}${type === 'json' ? '::text' : ''}`;
}

function byName(columns: readonly StoredColumn[]): StoredColumn[] {
  return [...new Map(columns.map((column) => [column.name, column])).values()];
}

function uniqueFields(fields: readonly StoredField[]): StoredField[] {
  return [...new Map(fields.map((field) => [field.column.name, field])).values()];
}
