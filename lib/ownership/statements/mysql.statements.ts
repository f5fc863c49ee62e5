import type { DataSource, EntityManager } from 'typeorm';
import type { Actor } from '../../files/actor.js';
import { uuidV7 } from '../../files/uuid-v7.js';
import { HISTORY_COLUMNS } from './history-columns.js';
import { witnessHistory } from './history-witness.js';
import { ownershipNames } from './names.js';
import type { OwnershipNames } from './names.js';
import { StepwiseStatements } from './stepwise.statements.js';
import type { FileSnapshot, HistoryEntry, Move } from './transfer-statements.js';
import { toSnapshot } from './verdict.js';

const IDS_PER_STATEMENT = 10_000;

/**
 * MySQL and MariaDB. Every writer locks files by the primary key in the order of ids first: without the index named, a statement may
 * lock by another index, in another order, and deadlock with its neighbour.
 */
export class MysqlStatements extends StepwiseStatements {
  readonly #names: OwnershipNames;
  readonly #move: string;
  readonly #record: string;

  constructor(dataSource: DataSource) {
    super();
    this.#names = ownershipNames(dataSource);
    this.#move = moveSql(this.#names);
    this.#record = recordSql(this.#names);
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
    const rows = entries.map(({ fileId, action, from, to, forced }) => {
      return {
        id: uuidV7(),
        fileId,
        action,
        fromType: from?.type,
        fromId: from?.id,
        toType: to?.type,
        toId: to?.id,
        forced,
      };
    });
    await manager.query(this.#record, [actor?.type ?? null, actor?.id ?? null, Date.now(), JSON.stringify(rows)]);
    witnessHistory(manager, rows[0]?.id);
  }

  protected async move(manager: EntityManager, moves: readonly Move[], pin: boolean): Promise<void> {
    await manager.query(this.#move, [JSON.stringify(moves), pin]);
  }

  async #read(manager: EntityManager, ids: readonly string[], sql: string): Promise<FileSnapshot[]> {
    const sorted = ids.toSorted();
    const files: FileSnapshot[] = [];
    for (let start = 0; start < sorted.length; start += IDS_PER_STATEMENT) {
      const rows: Record<string, unknown>[] = await manager.query(sql, [
        sorted.slice(start, start + IDS_PER_STATEMENT),
      ]);
      files.push(...rows.map(toSnapshot));
    }
    return files;
  }
}

// From the list of moves to the table by its primary key: for a small table the optimizer would scan it, and wait for all its locks.
function moveSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const list = `JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(36) PATH '$.fileId', toType VARCHAR(64) PATH '$.toType', toId VARCHAR(191) PATH '$.toId', field VARCHAR(128) PATH '$.field'))`;
  const set = `f.${column('ownerType')} = v.toType, f.${column('ownerId')} = v.toId, f.${column('ownerField')} = v.field`;
  return `UPDATE ${list} v STRAIGHT_JOIN ${table} f FORCE INDEX (PRIMARY) ON f.${column('id')} = v.id SET ${set}, f.${column('pinned')} = f.${column('pinned')} OR ?`;
}

function recordSql({ history }: OwnershipNames): string {
  const { table, column } = history;
  const last = `SELECT MAX(h.${column('at')}) + 1 FROM ${table} h WHERE h.${column('fileId')} = v.fileId`;
  const list =
    `JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(36) PATH '$.id', fileId CHAR(36) PATH '$.fileId', action VARCHAR(32) PATH '$.action', ` +
    `fromType VARCHAR(64) PATH '$.fromType', fromId VARCHAR(191) PATH '$.fromId', toType VARCHAR(64) PATH '$.toType', toId VARCHAR(191) PATH '$.toId', forced TINYINT PATH '$.forced'))`;
  return (
    `INSERT INTO ${table} (${HISTORY_COLUMNS.map(column).join(', ')}) ` +
    `SELECT v.id, v.fileId, v.action, v.fromType, v.fromId, v.toType, v.toId, v.forced, ?, ?, GREATEST(?, COALESCE((${last}), 0)) FROM ${list} v`
  );
}
