import type { DataSource, EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { uuidV7 } from '../../files/file-id.js';
import { HISTORY_COLUMNS, ownershipNames } from './names.js';
import type { OwnershipNames } from './names.js';
import { sendSql } from '../../unit-of-work/typeorm/connected.js';
import { StepwiseStatements } from './stepwise.statements.js';
import { toSnapshot } from './transfer-statements.js';
import type { FileSnapshot, HistoryEntry, Move } from './transfer-statements.js';

/** SQLite. The lock is the transaction itself, which begins IMMEDIATE. Lists travel as JSON, so that each statement is prepared once. */
export class SqliteStatements extends StepwiseStatements {
  readonly #look: string;
  readonly #move: string;
  readonly #record: string;

  constructor(dataSource: DataSource) {
    super();
    const names = ownershipNames(dataSource);
    const { table, column } = names.file;
    this.#look = `SELECT ${names.snapshot} FROM ${table} WHERE ${column('id')} IN (SELECT value FROM json_each(?))`;
    this.#move = moveSql(names);
    this.#record = recordSql(names);
  }

  lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return this.look(manager, ids);
  }

  async look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    const rows: Record<string, unknown>[] = await sendSql(manager, this.#look, [JSON.stringify(ids)]);
    return rows.map(toSnapshot);
  }

  async record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void> {
    const rows = entries.map(({ fileId, action, from, to, forced }) => {
      return [uuidV7(), fileId, action, from?.type, from?.id, to?.type, to?.id, forced];
    });
    await sendSql(manager, this.#record, [actor?.type ?? null, actor?.id ?? null, Date.now(), JSON.stringify(rows)]);
  }

  protected async move(manager: EntityManager, moves: readonly Move[], pin: boolean): Promise<void> {
    const rows = moves.map(({ fileId, toType, toId, field }) => [fileId, toType, toId, field]);
    // SQLite has no booleans, and TypeORM 0.3 does not make numbers of them.
    await sendSql(manager, this.#move, [Number(pin), JSON.stringify(rows)]);
  }
}

const listed = (index: number): string => `json_extract(v.value, '$[${index}]')`;

function moveSql({ file }: OwnershipNames): string {
  const { table, column } = file;
  const set = `${column('ownerType')} = ${listed(1)}, ${column('ownerId')} = ${listed(2)}, ${column('ownerField')} = ${listed(3)}`;
  return `UPDATE ${table} AS f SET ${set}, ${column('pinned')} = f.${column('pinned')} OR ? FROM json_each(?) AS v WHERE f.${column('id')} = ${listed(0)}`;
}

function recordSql({ history }: OwnershipNames): string {
  const { table, column } = history;
  const values = Array.from({ length: 8 }, (_, index) => listed(index)).join(', ');
  const last = `SELECT max(h.${column('at')}) + 1 FROM ${table} AS h WHERE h.${column('fileId')} = ${listed(1)}`;
  return (
    `INSERT INTO ${table} (${HISTORY_COLUMNS.map(column).join(', ')}) ` +
    `SELECT ${values}, ?, ?, max(?, coalesce((${last}), 0)) FROM json_each(?) AS v`
  );
}
