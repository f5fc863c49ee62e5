import { HISTORY_COLUMNS } from './names.js';
import type { OwnershipNames } from './names.js';

/** How many files move, and how much their moves have in common. */
export type TransferForm = 'one' | 'alike' | 'many';

const MOVES: Record<TransferForm, string> = {
  one: 'SELECT $1::uuid AS id, $2::text AS to_type, $3::text AS to_id, $4::text AS field, $5::text AS taken_from, $6::uuid AS history_id, $9::bigint AS seen',
  alike: `SELECT n.id, $2::text AS to_type, $3::text AS to_id, $4::text AS field, $5::text AS taken_from, n.history_id, $9::bigint AS seen
    FROM unnest($1::uuid[], $6::uuid[]) AS n(id, history_id)`,
  many: `SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $9::bigint[])
    AS n(id, to_type, to_id, field, taken_from, history_id, seen)`,
};

/**
 * Lock, decide, move and write history in one statement. `f` waits for the locks and has the newest version of each
 * row; `v` reads only `f`, so the verdict is about what is locked, although the statement's snapshot may be older. `u`
 * writes all or nothing. One file has a statement without arrays, aggregates and a look at the others: with arrays
 * PostgreSQL would plan it again each time. Moves that differ only in their files, such as those of one field, need
 * only arrays of ids.
 */
export function transferSql({ file, history }: OwnershipNames, form: TransferForm): string {
  return `${transferredSql({ file, history }, form, { isManager: '$11::bool', force: '$12::bool', pin: '$13::bool' })}
SELECT v.id, v.verdict, v.owner_type AS "fromType", v.owner_id AS "fromId", v.pinned FROM v`;
}

/** The prefix of refusals, in the message of the statement's error. */
export const REFUSED = 'nestjs-files:';

/**
 * The same, sent with the COMMIT. It also pins files that stay where they are. A refused file makes it fail, with the
 * refusals in the message.
 */
export function lastTransferSql(names: OwnershipNames, form: TransferForm): string {
  const refused = `v.verdict NOT IN ('moved', 'kept')`;
  const row = `json_build_object('id', v.id, 'verdict', v.verdict, 'fromType', v.owner_type, 'fromId', v.owner_id, 'pinned', v.pinned)`;
  const [isRefused, rows] =
    form === 'one'
      ? [refused, `json_build_array(${row})`]
      : [`bool_or(${refused})`, `(json_agg(${row}) FILTER (WHERE ${refused}))`];
  return `${transferredSql(names, form, { isManager: 'false', force: 'false', pin: 'true', pinsKept: true })}
SELECT CASE WHEN ${isRefused} THEN ('${REFUSED}' || ${rows}::text)::int END FROM v`;
}

interface Terms {
  readonly isManager: string;
  readonly force: string;
  readonly pin: string;
  readonly pinsKept?: boolean;
}

function transferredSql(
  { file, history }: Pick<OwnershipNames, 'file' | 'history'>,
  form: TransferForm,
  { isManager, force, pin, pinsKept = false }: Terms,
): string {
  const { table, column: f } = file;
  const [pinned, told, action] = pinsKept
    ? [
        ' OR NOT v.pinned',
        `u.verdict = 'moved' OR NOT u.pinned`,
        `CASE u.verdict WHEN 'moved' THEN 'transfer' ELSE 'pin' END`,
      ]
    : ['', `u.verdict = 'moved'`, `'transfer'`];
  const match = form === 'one' ? `${f('id')} = $1::uuid` : `${f('id')} = ANY($1::uuid[]) ORDER BY ${f('id')}`;
  const unlessAny =
    form === 'one' ? '' : `\n    AND NOT EXISTS (SELECT FROM v AS other WHERE other.verdict NOT IN ('moved', 'kept'))`;
  return `
WITH w AS ${form === 'one' ? '' : 'MATERIALIZED '}(${MOVES[form]}),
f AS MATERIALIZED (
  SELECT ${f('id')} AS id, ${f('ownerType')} AS owner_type, ${f('ownerId')} AS owner_id, ${f('pinned')} AS pinned, ${f('ownerField')} AS owner_field,
    ${f('scan')} AS scan, ${f('replacedAt')} AS replaced_at
  FROM ${table} WHERE ${match} FOR NO KEY UPDATE
),
v AS MATERIALIZED (
  SELECT w.*, f.owner_type, f.owner_id, f.pinned, f.owner_field, CASE
    WHEN f.id IS NULL THEN 'missing'
    WHEN f.owner_type = w.to_type AND f.owner_id = w.to_id THEN ${unlessUnfit('kept', 'f.pinned OR f.owner_field IS NOT NULL')}
    WHEN NOT (${isManager} OR w.taken_from = 'anyone' OR (w.taken_from = 'unowned' AND f.owner_type IS NULL)
      OR coalesce(f.owner_type = $7::text AND f.owner_id = $8::text, false)) THEN 'foreign'
    WHEN f.pinned AND NOT ${force} THEN 'pinned'
    ELSE ${unlessUnfit('moved', 'false')} END AS verdict
  FROM w LEFT JOIN f ON f.id = w.id
),
u AS (
  UPDATE ${table} AS t
  SET ${f('ownerType')} = v.to_type, ${f('ownerId')} = v.to_id, ${f('ownerField')} = v.field, ${f('expiresAt')} = NULL,
    ${f('pinned')} = v.pinned OR (${pin} AND ${pinsKept ? 'true' : `v.verdict = 'moved'`})
  FROM v WHERE t.${f('id')} = v.id
    AND (v.verdict = 'moved' OR v.verdict = 'kept' AND (v.field <> coalesce(v.owner_field, '')${pinned}))${unlessAny}
  RETURNING v.id, v.verdict, v.history_id, v.owner_type, v.owner_id, v.to_type, v.to_id, v.pinned
),
h AS (
  INSERT INTO ${history.table} (${HISTORY_COLUMNS.map(history.column).join(', ')})
  SELECT u.history_id, u.id, ${action}, u.owner_type, u.owner_id, u.to_type, u.to_id, u.pinned, $7::text, $8::text, ${nextInstant(history, 'u.id')}
  FROM u WHERE ${told}
)`;
}

/** The verdict, unless a claim does not attach the content. What is in use already is attached. */
function unlessUnfit(verdict: 'kept' | 'moved', isInUse: string): string {
  return `CASE
      WHEN w.seen IS NULL OR ${isInUse} THEN '${verdict}'
      WHEN f.scan = 'infected' OR f.scan = 'failed' AND NOT $10::bool THEN 'quarantined'
      WHEN f.scan = 'pending' AND NOT $10::bool THEN 'pending'
      WHEN coalesce(f.replaced_at, 0) <> w.seen THEN 'changed'
      ELSE '${verdict}' END`;
}

export function recordSql({ history }: OwnershipNames): string {
  return `
INSERT INTO ${history.table} (${HISTORY_COLUMNS.map(history.column).join(', ')})
SELECT e.id, e.file_id, e.action, e.from_type, e.from_id, e.to_type, e.to_id, e.forced, $9::text, $10::text, ${nextInstant(history, 'e.file_id')}
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[])
  AS e(id, file_id, action, from_type, from_id, to_type, to_id, forced)`;
}

/** `more` selects further values. */
export function lookSql({ file, snapshot }: OwnershipNames, files: 'one' | 'many', more = ''): string {
  const match = files === 'one' ? '$1::uuid' : 'ANY($1::uuid[])';
  return `SELECT ${snapshot}${more} FROM ${file.table} WHERE ${file.column('id')} = ${match}`;
}

// The server's clock, so that writers on several machines agree; read when the row is made, after the wait for the
// lock.
function nextInstant({ table, column }: OwnershipNames['history'], fileId: string): string {
  const now = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
  return `greatest(${now}, (SELECT max(past.${column('at')}) + 1 FROM ${table} AS past WHERE past.${column('fileId')} = ${fileId}))`;
}
