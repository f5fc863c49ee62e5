import type { DataSource, EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { uuidV7 } from '../../files/file-id.js';
import { HISTORY_COLUMNS, ownershipNames } from './names.js';
import type { OwnershipNames } from './names.js';
import { sendSql } from '../../unit-of-work/typeorm/send-sql.js';
import { isAlike, StepwiseStatements, toSnapshot } from './transfer-statements.js';
import type { FileSnapshot, HistoryEntry, Move, MoveTerms } from './transfer-statements.js';

type Form = 'alike' | 'many';

/**
 * SQLite. The lock is the transaction itself, which begins IMMEDIATE. Lists travel as JSON, so that each statement is
 * prepared once. What is the same for all files is a parameter, because SQLite takes as long to read a field of the
 * JSON as to write a column.
 */
export class SqliteStatements extends StepwiseStatements {
  readonly #look: string;
  readonly #move: Record<Form, string>;
  readonly #endDrafts: string;
  readonly #record: Record<Form, string>;

  constructor(dataSource: DataSource) {
    super();
    const names = ownershipNames(dataSource);
    const { table, column } = names.file;
    const snapshot = `${names.snapshot}, ${column('expiresAt')} AS "expiresAt"`;
    this.#look = `SELECT ${snapshot} FROM ${table} WHERE ${column('id')} IN (SELECT value FROM json_each(?))`;
    this.#move = { alike: moveAlikeSql(names), many: moveSql(names) };
    this.#endDrafts = endDraftsSql(names);
    this.#record = { alike: recordSql(names, HISTORY_ALIKE), many: recordSql(names, HISTORY_MANY) };
  }

  lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return this.look(manager, ids);
  }

  async look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const rows: Record<string, unknown>[] = await sendSql(manager, this.#look, [JSON.stringify(ids)]);
    return rows.map(toSnapshot);
  }

  async record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void> {
    const by = [actor?.type ?? null, actor?.id ?? null, Date.now()];
    const [first] = entries;
    if (first && entries.every((entry) => isSameChange(entry, first))) {
      // Written as text: an object with a thousand new keys took almost a fifth of the call's processor time.
      const files = entries.map(({ fileId }) => `"${uuidV7()}":${JSON.stringify(fileId)}`);
      await sendSql(manager, this.#record.alike, [...changeOf(first), ...by, `{${files.join(',')}}`]);
    } else {
      const rows = entries.map((entry) => [uuidV7(), entry.fileId, ...changeOf(entry)]);
      await sendSql(manager, this.#record.many, [...by, JSON.stringify(rows)]);
    }
  }

  protected async move(manager: EntityManager, moves: readonly Move[], { pin, hasDrafts }: MoveTerms): Promise<void> {
    const [first] = moves;
    // SQLite has no booleans, and TypeORM 0.3 does not make numbers of them.
    const pinned = Number(pin);
    if (first && moves.every((move) => isAlike(move, first))) {
      const ids = JSON.stringify(moves.map(({ fileId }) => fileId));
      await sendSql(manager, this.#move.alike, [first.toType, first.toId, first.field, pinned, ids]);
    } else {
      const rows = moves.map(({ fileId, toType, toId, field }) => [fileId, toType, toId, field]);
      await sendSql(manager, this.#move.many, [pinned, JSON.stringify(rows)]);
    }
    if (hasDrafts) await sendSql(manager, this.#endDrafts, [JSON.stringify(moves.map(({ fileId }) => fileId))]);
  }
}

/** The columns of a history row that say what happened to the file. */
function changeOf({ action, from, to, forced }: HistoryEntry): unknown[] {
  return [action, from?.type ?? null, from?.id ?? null, to?.type ?? null, to?.id ?? null, Number(forced)];
}

function isSameChange(entry: HistoryEntry, other: HistoryEntry): boolean {
  const [change, same] = [changeOf(entry), changeOf(other)];
  return change.every((value, index) => value === same[index]);
}

const listed = (index: number): string => `json_extract(v.value, '$[${index}]')`;

function moveAlikeSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const set = `${column('ownerType')} = ?, ${column('ownerId')} = ?, ${column('ownerField')} = ?`;
  return `UPDATE ${table} SET ${set}, ${column('pinned')} = ${column('pinned')} OR ? WHERE ${column('id')} IN (SELECT value FROM json_each(?))`;
}

function moveSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const set = `${column('ownerType')} = ${listed(1)}, ${column('ownerId')} = ${listed(2)}, ${column('ownerField')} = ${listed(3)}`;
  return `UPDATE ${table} AS f SET ${set}, ${column('pinned')} = f.${column('pinned')} OR ? FROM json_each(?) AS v WHERE f.${column('id')} = ${listed(0)}`;
}

/**
 * A separate statement: an UPDATE in SQLite rewrites the indexes of every column that it sets, even to the same value.
 */
function endDraftsSql({ file: { table, column } }: OwnershipNames): string {
  return `UPDATE ${table} SET ${column('expiresAt')} = NULL WHERE ${column('id')} IN (SELECT value FROM json_each(?))`;
}

/** The row's id, the file's id, and the columns of `changeOf`. */
interface HistoryValues {
  readonly id: string;
  readonly fileId: string;
  readonly change: readonly string[];
}

const HISTORY_ALIKE: HistoryValues = { id: 'v.key', fileId: 'v.value', change: Array.from({ length: 6 }, () => '?') };
const HISTORY_MANY: HistoryValues = {
  id: listed(0),
  fileId: listed(1),
  change: Array.from({ length: 6 }, (_, index) => listed(index + 2)),
};

function recordSql({ history }: OwnershipNames, { id, fileId, change }: HistoryValues): string {
  const { table, column } = history;
  const last = `SELECT max(h.${column('at')}) + 1 FROM ${table} AS h WHERE h.${column('fileId')} = ${fileId}`;
  return (
    `INSERT INTO ${table} (${HISTORY_COLUMNS.map(column).join(', ')}) ` +
    `SELECT ${[id, fileId, ...change].join(', ')}, ?, ?, max(?, coalesce((${last}), 0)) FROM json_each(?) AS v`
  );
}
