import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import { createPool } from 'mysql2/promise';
import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise';
import { ADA, assertAttachable } from './api.js';
import type { AttachManyDto, AttachOneDto, AttachService, LockedFile } from './api.js';

/** By hand on MariaDB: six statements, set-based, no early check. */
@Injectable()
export class Mysql2Service implements AttachService, OnApplicationShutdown {
  readonly #pool: Pool;

  constructor(database: string) {
    this.#pool = createPool({ host: '127.0.0.1', user: 'root', database, connectionLimit: 10 });
  }

  onApplicationShutdown(): Promise<void> {
    return this.#pool.end();
  }

  async attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    await this.#transaction(async (client) => {
      await client.query('UPDATE package SET title = ?, attachmentId = ? WHERE id = ?', [title, attachmentId, id]);
      await give(client, id, [attachmentId], 'attachmentId');
    });
    return { id, title, attachmentId };
  }

  async attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    await this.#transaction(async (client) => {
      const list = JSON.stringify(fileIds);
      await client.query('UPDATE package SET title = ?, fileIds = ? WHERE id = ?', [title, list, id]);
      await give(client, id, fileIds, 'fileIds');
    });
    return { id, title, fileIds };
  }

  async #transaction(work: (client: PoolConnection) => Promise<void>): Promise<void> {
    const client = await this.#pool.getConnection();
    try {
      await client.query('START TRANSACTION');
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }
}

const LOCK = `SELECT id, owner_type AS ownerType, owner_id AS ownerId, pinned FROM files_file FORCE INDEX (PRIMARY) WHERE id IN (?) ORDER BY id FOR UPDATE`;
const MOVE = `UPDATE files_file SET owner_type = 'package', owner_id = ?, owner_field = ?, pinned = 1 WHERE id IN (?)`;
const RECORD =
  'INSERT INTO files_transfer (id, file_id, action, from_type, from_id, to_type, to_id, actor_type, actor_id, forced, at) VALUES ?';

async function give(client: PoolConnection, id: number, ids: string[], field: string): Promise<void> {
  const [rows] = await client.query<(RowDataPacket & LockedFile)[]>(LOCK, [ids]);
  assertAttachable(rows, ids);
  await client.query(MOVE, [String(id), field, ids]);
  const owners = ['user', ADA.id, 'package', String(id), ADA.type, ADA.id, false, Date.now()];
  await client.query(RECORD, [ids.map((fileId) => [randomUUID(), fileId, 'transfer', ...owners])]);
}
