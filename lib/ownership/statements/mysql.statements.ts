import type { DataSource, EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { uuidV7 } from '../../files/file-id.js';
import { HISTORY_COLUMNS, ownershipNames } from './names.js';
import type { OwnershipNames } from './names.js';
import { sendSql, inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { witnessHistory } from './history-witness.js';
import { isAlike, StepwiseStatements, toSnapshot } from './transfer-statements.js';
import type { FileSnapshot, HistoryEntry, Move, MoveTerms } from './transfer-statements.js';

const IDS_PER_STATEMENT = 10_000;

/**
 * MySQL and MariaDB. Every writer first locks its files by the primary key, in the order of their ids. The statements
 * name this index, because they could otherwise lock by another one, in another order, and deadlock with another
 * writer.
 */
export class MysqlStatements extends StepwiseStatements {
  readonly #names: OwnershipNames;
  readonly #move: Record<'alike' | 'many', string>;
  readonly #record: Record<'one' | 'many', string>;

  constructor(dataSource: DataSource) {
    super();
    this.#names = ownershipNames(dataSource);
    this.#move = { alike: moveAlikeSql(this.#names), many: moveSql(this.#names) };
    this.#record = { one: recordOneSql(this.#names), many: recordSql(this.#names) };
  }

  lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const { file, snapshot } = this.#names;
    const id = file.column('id');
    return this.#read(
      manager,
      ids,
      `SELECT ${snapshot} FROM ${file.table} FORCE INDEX (PRIMARY) WHERE ${id} IN (?) ORDER BY ${id} FOR UPDATE`,
    );
  }

  look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const { file, snapshot } = this.#names;
    return this.#read(manager, ids, `SELECT ${snapshot} FROM ${file.table} WHERE ${file.column('id')} IN (?)`);
  }

  async record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void> {
    const rows = entries.map((entry) => rowOf(entry));
    const [first] = rows;
    const by = [actor?.type ?? null, actor?.id ?? null, Date.now()];
    if (first && rows.length === 1) {
      await sendSql(manager, this.#record.one, [...Object.values(first), ...by, first.fileId]);
    } else {
      await sendSql(manager, this.#record.many, [...by, JSON.stringify(rows)]);
    }
    witnessHistory(manager, first?.id);
  }

  protected async move(manager: EntityManager, moves: readonly Move[], { pin }: MoveTerms): Promise<void> {
    const [first] = moves;
    if (!first || moves.length > IDS_PER_STATEMENT || !moves.every((move) => isAlike(move, first))) {
      await sendSql(manager, this.#move.many, [JSON.stringify(moves), pin]);
    } else {
      const { toType, toId, field } = first;
      await sendSql(manager, this.#move.alike, [toType, toId, field, pin, moves.map(({ fileId }) => fileId)]);
    }
  }

  async #read(manager: EntityManager, ids: readonly string[], sql: string): Promise<FileSnapshot[]> {
    const sorted = ids.toSorted();
    const files: FileSnapshot[] = [];
    for (const chunk of inChunks(sorted, IDS_PER_STATEMENT)) {
      const rows: Record<string, unknown>[] = await sendSql(manager, sql, [chunk]);
      files.push(...rows.map(toSnapshot));
    }
    return files;
  }
}

/** The columns of a history row that are not the same for all files of a call. */
function rowOf({ fileId, action, from, to, forced }: HistoryEntry) {
  const [fromType, fromId] = [from?.type ?? null, from?.id ?? null];
  return { id: uuidV7(), fileId, action, fromType, fromId, toType: to?.type ?? null, toId: to?.id ?? null, forced };
}

function moveAlikeSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const set = `${column('ownerType')} = ?, ${column('ownerId')} = ?, ${column('ownerField')} = ?, ${column('expiresAt')} = NULL`;
  return `UPDATE ${table} FORCE INDEX (PRIMARY) SET ${set}, ${column('pinned')} = ${column('pinned')} OR ? WHERE ${column('id')} IN (?)`;
}

// STRAIGHT_JOIN reads the list first, and finds each file by the primary key. The optimizer would scan a small table
// instead, and wait for the locks of all its rows.
function moveSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const list = `JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(36) PATH '$.fileId', toType VARCHAR(64) PATH '$.toType', toId VARCHAR(191) PATH '$.toId', field VARCHAR(128) PATH '$.field'))`;
  const set = `f.${column('ownerType')} = v.toType, f.${column('ownerId')} = v.toId, f.${column('ownerField')} = v.field, f.${column('expiresAt')} = NULL`;
  return `UPDATE ${list} v STRAIGHT_JOIN ${table} f FORCE INDEX (PRIMARY) ON f.${column('id')} = v.id SET ${set}, f.${column('pinned')} = f.${column('pinned')} OR ?`;
}

function recordOneSql(names: OwnershipNames): string {
  return `${insertSql(names)} SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${nextInstant(names, '?')}`;
}

function recordSql(names: OwnershipNames): string {
  const list =
    `JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(36) PATH '$.id', fileId CHAR(36) PATH '$.fileId', action VARCHAR(32) PATH '$.action', ` +
    `fromType VARCHAR(64) PATH '$.fromType', fromId VARCHAR(191) PATH '$.fromId', toType VARCHAR(64) PATH '$.toType', toId VARCHAR(191) PATH '$.toId', forced TINYINT PATH '$.forced'))`;
  const row = 'v.id, v.fileId, v.action, v.fromType, v.fromId, v.toType, v.toId, v.forced';
  return `${insertSql(names)} SELECT ${row}, ?, ?, ${nextInstant(names, 'v.fileId')} FROM ${list} v`;
}

function insertSql({ history: { table, column } }: OwnershipNames): string {
  return `INSERT INTO ${table} (${HISTORY_COLUMNS.map(column).join(', ')})`;
}

/** The given instant, or a later one if the history of the file has reached it already. */
function nextInstant({ history: { table, column } }: OwnershipNames, fileId: string): string {
  return `GREATEST(?, COALESCE((SELECT MAX(h.${column('at')}) + 1 FROM ${table} h WHERE h.${column('fileId')} = ${fileId}), 0))`;
}
