import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';

/** A connection to PostgreSQL that knows nothing of the library, as psql or another service has. */
export class RawSession {
  private constructor(private readonly client: pg.Client) {}

  static async open(options: DataSourceOptions): Promise<RawSession> {
    const { host, port, username, password, database } = options as unknown as Record<string, string>;
    const client = new pg.Client({ host, port: Number(port), user: username, password, database } as pg.ClientConfig);
    await client.connect();
    return new RawSession(client);
  }

  async query<Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query(sql, values)).rows as Row[];
  }

  /** The statements as one transaction. */
  async transaction(...statements: (string | [sql: string, values: unknown[]])[]): Promise<void> {
    await this.query('BEGIN');
    try {
      for (const statement of statements) {
        const [sql, values] = typeof statement === 'string' ? [statement, []] : statement;
        await this.query(sql, values);
      }
      await this.query('COMMIT');
    } catch (error) {
      await this.query('ROLLBACK');
      throw error;
    }
  }

  /** The row of a file, whose bytes nobody asks for. */
  async file(ownerType: string | null, ownerId: string | number | null, table = 'files_file'): Promise<string> {
    const id = randomUUID();
    await this.query(
      `INSERT INTO ${table} (id, name, storage, location, location_key, content_type, size, hash, hash_algorithm, created_at, owner_type, owner_id, pinned)
       VALUES ($1::uuid, 'a.txt', 'default', $1::text, $1::text, 'text/plain', 1, 'x', 'sha256', 0, $2, $3, false)`,
      [id, ownerType, ownerId === null ? null : String(ownerId)],
    );
    return id;
  }

  /** Resolves once the session waits for a lock of another one. */
  async isWaiting(other: RawSession): Promise<void> {
    const { processID } = other.client as pg.Client & { processID: number };
    const blocked = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`;
    while ((await this.query(blocked, [processID])).length === 0);
  }

  close(): Promise<void> {
    return this.client.end();
  }
}
