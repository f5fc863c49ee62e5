import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import Database from 'better-sqlite3';
import type { Statement } from 'better-sqlite3';
import { ADA, assertAttachable } from './api.js';
import type { AttachManyDto, AttachOneDto, AttachService, LockedFile } from './api.js';

/** By hand on SQLite: prepared statements, one file after the other, in one synchronous transaction. */
@Injectable()
export class BetterSqlite3Service implements AttachService, OnApplicationShutdown {
  readonly #database: Database.Database;
  readonly #lock: Statement;
  readonly #move: Statement;
  readonly #record: Statement;
  readonly #one: Statement;
  readonly #many: Statement;

  constructor(file: string) {
    this.#database = new Database(file);
    const prepare = (sql: string): Statement => this.#database.prepare(sql);
    this.#lock = prepare(LOCK);
    this.#move = prepare(MOVE);
    this.#record = prepare(RECORD);
    this.#one = prepare('UPDATE package SET title = ?, attachmentId = ? WHERE id = ?');
    this.#many = prepare('UPDATE package SET title = ?, fileIds = ? WHERE id = ?');
  }

  onApplicationShutdown(): void {
    this.#database.close();
  }

  attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    this.#transaction(() => {
      this.#one.run(title, attachmentId, id);
      this.#give(id, [attachmentId], 'attachmentId');
    });
    return Promise.resolve({ id, title, attachmentId });
  }

  attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    this.#transaction(() => {
      this.#many.run(title, JSON.stringify(fileIds), id);
      this.#give(id, fileIds, 'fileIds');
    });
    return Promise.resolve({ id, title, fileIds });
  }

  #transaction(work: () => void): void {
    this.#database.transaction(work).immediate();
  }

  #give(id: number, ids: string[], field: string): void {
    const files = ids.flatMap((fileId) => (this.#lock.get(fileId) as LockedFile | undefined) ?? []);
    assertAttachable(files, ids);
    for (const fileId of ids) {
      this.#move.run(String(id), field, fileId);
      this.#record.run(randomUUID(), fileId, ADA.type, ADA.id, String(id), ADA.type, ADA.id, Date.now());
    }
  }
}

const LOCK = 'SELECT id, owner_type AS ownerType, owner_id AS ownerId, pinned FROM files_file WHERE id = ?';
const MOVE = `UPDATE files_file SET owner_type = 'package', owner_id = ?, owner_field = ?, pinned = 1 WHERE id = ?`;
const RECORD = `INSERT INTO files_transfer (id, file_id, action, from_type, from_id, to_type, to_id, actor_type, actor_id, forced, at)
  VALUES (?, ?, 'transfer', ?, ?, 'package', ?, ?, ?, 0, ?)`;
