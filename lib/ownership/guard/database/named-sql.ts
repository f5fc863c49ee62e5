import type { GuardedClass, GuardedTable, RowKind, StoredField } from './guarded-table.js';
import { identifier, literal } from './sql-text.js';
import { functionPath } from './trigger-sql.js';

/**
 * Makes the function that returns the files that a row names: the class, the owner, the field, and its value in lower
 * case. It takes a row of the table, so that PostgreSQL does not drop the table before its guards; and is of a kind
 * that is expanded where it is called.
 */
export function createNamed(guarded: GuardedTable): string[] {
  const { table, classes } = guarded;
  const fields = classes.flatMap((one) => one.fields.map((field) => namedBy(guarded, one, field)));
  // Not UNION ALL: "variable not found in subplan target list" is what PostgreSQL 15 answers to that, expanded on whole
  // rows.
  const body = `
SELECT f.entity, f.owner_type, f.owner_id, f.field, lower(v.value)
FROM (VALUES
  ${fields.join(',\n  ')}
) AS f (entity, owner_type, owner_id, field, ids) CROSS JOIN LATERAL unnest(f.ids) AS v (value)
WHERE v.value <> ''`;
  const readsJson = classes.some(({ fields }) => fields.some(({ form }) => form === 'json'));
  return [
    ...(readsJson ? [createJson(guarded)] : []),
    `CREATE FUNCTION ${functionPath(guarded, 'named')}(named_by ${table.path})
RETURNS TABLE (entity text, owner_type text, owner_id text, field text, value text)
LANGUAGE sql STABLE AS ${literal(body)}`,
  ];
}

function isOfKind(row: string, { column, values, isOneOfThem }: RowKind): string {
  return `${row}.${identifier(column.name)}::text ${isOneOfThem ? '' : 'NOT '}IN (${values.map(literal).join(', ')})`;
}

function namedBy(guarded: GuardedTable, { entity, ownerType, id, kind }: GuardedClass, field: StoredField): string {
  const ids = idsOf(guarded, field);
  const columns = [
    literal(entity),
    literal(ownerType),
    `named_by.${identifier(id.name)}::text`,
    literal(field.name),
    kind ? `CASE WHEN ${isOfKind('named_by', kind)} THEN ${ids} END` : ids,
  ];
  return `(${columns.join(', ')})`;
}

function idsOf(guarded: GuardedTable, { column, form }: StoredField): string {
  const value = `named_by.${identifier(column.name)}`;
  switch (form) {
    case 'uuid':
    case 'text':
      return `ARRAY[${value}::text]`;
    case 'array':
      return `${value}::text[]`;
    case 'commas':
      return `string_to_array(${value}::text, ',')`;
    case 'json':
      return `${functionPath(guarded, 'json')}(${value}::text)`;
  }
}

// As the application reads it: an id, an object with an id, or a list of these. Any other value is given as it is
// stored.
function createJson(guarded: GuardedTable): string {
  const idOf = (item: string): string => `CASE jsonb_typeof(${item})
    WHEN 'string' THEN ${item} #>> '{}'
    WHEN 'object' THEN CASE jsonb_typeof(${item} -> 'id') WHEN 'string' THEN ${item} ->> 'id' END
  END`;
  const body = `
DECLARE
  parsed jsonb;
  ids text[];
BEGIN
  BEGIN
    parsed := stored::jsonb;
  EXCEPTION WHEN data_exception THEN
    RETURN ARRAY[stored];
  END;
  IF parsed IN ('null', '[]', '{}', '""') THEN RETURN NULL; END IF;
  IF jsonb_typeof(parsed) = 'array' THEN
    ids := ARRAY(SELECT ${idOf('item')} FROM jsonb_array_elements(parsed) AS item);
  ELSE
    ids := ARRAY[${idOf('parsed')}];
  END IF;
  ids := array_remove(array_remove(ids, NULL), '');
  RETURN CASE WHEN cardinality(ids) = 0 THEN ARRAY[stored] ELSE ids END;
END`;
  return `CREATE FUNCTION ${functionPath(guarded, 'json')}(stored text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT AS ${literal(body)}`;
}
