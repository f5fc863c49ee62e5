import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { ADA, assertAttachable } from './api.js';
import type { AttachManyDto, AttachOneDto, AttachService, LockedFile } from './api.js';

/** Where the database is: the options of TypeORM that both know. */
export interface PgPlace {
  readonly host: string;
  readonly port?: number;
  readonly username: string;
  readonly database: string;
}

/** By hand, without an ORM: six statements, set-based and prepared once for a connection, no early check. */
@Injectable()
export class PgService implements AttachService, OnApplicationShutdown {
  readonly #pool: pg.Pool;

  constructor({ host, port, username, database }: PgPlace) {
    this.#pool = new pg.Pool({ host, port, user: username, database, max: 10 });
  }

  onApplicationShutdown(): Promise<void> {
    return this.#pool.end();
  }

  async attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    await this.#transaction(async (client) => {
      await client.query({ name: 'save one', text: SAVE_ONE, values: [id, title, attachmentId] });
      await give(client, id, [attachmentId], 'attachmentId');
    });
    return { id, title, attachmentId };
  }

  async attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    await this.#transaction(async (client) => {
      await client.query({ name: 'save many', text: SAVE_MANY, values: [id, title, JSON.stringify(fileIds)] });
      await give(client, id, fileIds, 'fileIds');
    });
    return { id, title, fileIds };
  }

  async #transaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
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

const SAVE_ONE = 'UPDATE package SET title = $2, "attachmentId" = $3 WHERE id = $1';
const SAVE_MANY = 'UPDATE package SET title = $2, "fileIds" = $3 WHERE id = $1';
const LOCK = `SELECT id, owner_type AS "ownerType", owner_id AS "ownerId", pinned FROM files_file WHERE id = ANY($1) ORDER BY id FOR UPDATE`;
const MOVE = `UPDATE files_file SET owner_type = 'package', owner_id = $2, owner_field = $3, pinned = true WHERE id = ANY($1)`;
const RECORD = `INSERT INTO files_transfer (id, file_id, action, from_type, from_id, to_type, to_id, actor_type, actor_id, forced, at)
  SELECT h, f, 'transfer', $3, $4, 'package', $5, $3, $4, false, $6 FROM unnest($1::uuid[], $2::uuid[]) AS n(h, f)`;

async function give(client: pg.PoolClient, id: number, ids: string[], field: string): Promise<void> {
  const { rows } = await client.query<LockedFile>({ name: 'lock', text: LOCK, values: [ids] });
  assertAttachable(rows, ids);
  await client.query({ name: 'move', text: MOVE, values: [ids, String(id), field] });
  const values = [ids.map(() => randomUUID()), ids, ADA.type, ADA.id, String(id), Date.now()];
  await client.query({ name: 'record', text: RECORD, values });
}
